"""NTU RGB+D: the reader of its ``.skeleton`` files.

Shahroudy, Liu, Ng and Wang, "NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis",
CVPR 2016; Liu et al., "NTU RGB+D 120", TPAMI 2019. A file is text: the number of frames; for each
the number of bodies; for each a line that begins with its id, the number of joints, and a line for
every joint that begins with x, y and z in metres.
"""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from frhead_core.compiled import compiled
from frhead_core.data import skeleton_scan
from frhead_core.data.skeleton_scan import JOINTS, Room
from frhead_core.data.tracked_bodies import TrackedBody

_NUMBERS = 3 * JOINTS  # of one appearance
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXPECTED = {
    skeleton_scan.FRAME_COUNT: "the number of frames",
    skeleton_scan.BODY_COUNT: "the number of bodies",
    skeleton_scan.BODY: f"the {skeleton_scan.BODY_FIELDS} fields of a body",
    skeleton_scan.JOINT_NUMBER: f"{JOINTS}, the number of joints",
    skeleton_scan.JOINT: f"the {skeleton_scan.JOINT_FIELDS} fields of a joint",
}


@dataclass(frozen=True)
class SkeletonFile:
    """What is in a file.

    Attributes:
        frames: How many frames have a body.
        dropped: How many have none.
        bodies: In order of first appearance.
        repeated: Id and valid frame of every appearance that is left out, because a body with
            that id comes before it in the same frame.
    """

    frames: int
    dropped: int
    bodies: tuple[TrackedBody, ...]
    repeated: tuple[tuple[str, int], ...]


def parse_skeletons(content: bytes) -> SkeletonFile:
    """The bodies in the text of a ``.skeleton`` file; what follows its last frame is ignored.

    Raises:
        ValueError: If it is not such a text, with the line, or has no body.
    """
    if not content:
        raise ValueError("empty file")
    scanned = _Scan(content if content.endswith(b"\n") else content + b"\n")
    frames = scanned.valid
    if frames == 0:
        raise ValueError(f"none of the {scanned.frames} frames has a body")
    return SkeletonFile(frames, scanned.frames - frames, *scanned.by_body())


def motion_of(coordinates: np.ndarray) -> float:
    """How much a body, (n, V, 3) float32, moves: its variance in x, y and z, added up."""
    return float(_motion(coordinates.reshape(-1)))


@compiled
def _motion(numbers: np.ndarray) -> Any:
    """Population variance of x, y and z, one after the other in (3 R,) float32, added up.

    As ``rows.var(axis=0).sum()``, only faster: the same additions in the same order and precision,
    so the same result to the last bit.
    """
    number = np.float32(len(numbers) // 3)
    zero = np.float32(0)
    mean_x, mean_y, mean_z = zero, zero, zero
    for place in range(0, len(numbers), 3):
        mean_x += numbers[place]
        mean_y += numbers[place + 1]
        mean_z += numbers[place + 2]
    mean_x, mean_y, mean_z = mean_x / number, mean_y / number, mean_z / number
    x, y, z = zero, zero, zero
    for place in range(0, len(numbers), 3):
        x += (numbers[place] - mean_x) ** 2
        y += (numbers[place + 1] - mean_y) ** 2
        z += (numbers[place + 2] - mean_z) ** 2
    return x / number + y / number + z / number


@compiled
def _sort_by_body(room: Room) -> Any:
    """Put the appearances of each body behind one another, without those that are repeated.

    Returns:
        Coordinates (75 R,) float32; frame numbers (R,) int32; where the rows of each body end,
        (B,) int64; the motion of each, (B,) float32; and which appearances are left out.
    """
    bodies, appearances = room.state[skeleton_scan.BODIES], room.state[skeleton_scan.APPEARANCES]
    latest, ends = np.full(bodies, -1, np.int32), np.zeros(bodies, np.int64)
    again = np.zeros(appearances, np.bool_)
    for appearance in range(appearances):
        body, frame = room.body_of[appearance], room.frame_of[appearance]
        again[appearance] = latest[body] == frame
        ends[body] += latest[body] != frame
        latest[body] = frame
    ends = np.cumsum(ends)
    begins = np.append(0, ends[:-1])
    places = begins.copy()
    coordinates = np.empty(_NUMBERS * ends[-1], np.float32)
    frame_numbers = np.empty(ends[-1], np.int32)
    for kept in np.flatnonzero(~again):
        row = places[room.body_of[kept]]
        places[room.body_of[kept]] += 1
        frame_numbers[row] = room.frame_of[kept]
        for number in range(_NUMBERS):
            coordinates[_NUMBERS * row + number] = room.coordinates[_NUMBERS * kept + number]
    motions = np.zeros(bodies, np.float32)
    if bodies > 1:
        for body in range(bodies):
            first, last = _NUMBERS * begins[body], _NUMBERS * ends[body]
            motions[body] = _motion(coordinates[first:last])
    return coordinates, frame_numbers, ends, motions, np.flatnonzero(again)


class _Scan:
    """What the compiled loop finds in a file.

    Attributes:
        frames: How many frames there are.
        valid: How many of them have a body.
        ids: Of the bodies, in order of first appearance.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._room = room = self._scanned()
        self._decide(room)
        self.frames = int(room.state[skeleton_scan.FRAME])
        self.valid = int(room.state[skeleton_scan.VALID_FRAMES])
        ids = room.ids[: room.state[skeleton_scan.BODIES]].tolist()
        self.ids = [self._id(begin, end) for begin, end in ids]

    def by_body(self) -> tuple[tuple[TrackedBody, ...], tuple[tuple[str, int], ...]]:
        """The bodies, and id and frame of the appearances that are left out."""
        numbers, frame_numbers, ends, motions, again = _sort_by_body(self._room)
        coordinates = numbers.reshape(-1, JOINTS, 3)
        bodies, alone = [], len(ends) == 1
        begin: int = 0
        for name, end, motion in zip(self.ids, ends.tolist(), motions.tolist(), strict=True):
            frames = frame_numbers[begin:end]
            rows = coordinates[begin:end]
            bodies.append(
                TrackedBody(name, rows, int(frames[0]), frames, None if alone else motion)
            )
            begin = end
        return tuple(bodies), self._repeated(again)

    def _repeated(self, appearances: np.ndarray) -> tuple[tuple[str, int], ...]:
        """Id and frame of some appearances, in order of the bodies."""
        body_of, frame_of = self._room.body_of[appearances], self._room.frame_of[appearances]
        pairs = sorted(zip(body_of.tolist(), frame_of.tolist(), strict=True))
        return tuple((self.ids[body], frame) for body, frame in pairs)

    def _scanned(self) -> Room:
        data = np.frombuffer(self._content, np.uint8)
        begin = len(_BYTE_ORDER_MARK) if self._content.startswith(_BYTE_ORDER_MARK) else 0
        undecided, status = 16, skeleton_scan.NO_ROOM
        while status == skeleton_scan.NO_ROOM:
            room = _room(len(self._content), undecided)
            status = skeleton_scan.scan(data, begin, room)
            undecided *= 64
        if status != skeleton_scan.COMPLETE:
            raise ValueError(self._reason(status, room.state))
        return room

    def _decide(self, room: Room) -> None:
        """Convert the few numbers that the compiled loop left to exact arithmetic."""
        places = room.coordinates
        for begin, end, place in room.undecided[: room.state[skeleton_scan.UNDECIDED]].tolist():
            text = self._content[begin:end].decode("ascii")
            with np.errstate(over="ignore"):
                places[place] = np.float32(float(text))
            if np.isinf(places[place]):
                line = self._content.count(b"\n", 0, begin) + 1
                raise ValueError(f"line {line}: found {text}, expected a finite number")

    def _reason(self, status: int, state: np.ndarray) -> str:
        line, begin, expected, detail, frame = state[
            skeleton_scan.LINE : skeleton_scan.POS
        ].tolist()
        found = self._found(status, begin, detail)
        if status == skeleton_scan.NOT_FINITE:
            return f"line {line + 1}: {found}, expected a finite number"
        where = f" in frame {frame + 1}" if expected >= skeleton_scan.BODY_COUNT else ""
        return f"line {line + 1}: {found}, expected {_EXPECTED[expected]}{where}"

    def _found(self, status: int, begin: int, detail: int) -> str:
        if status == skeleton_scan.ENDED:
            return "the file ends"
        text = self._content[begin : self._content.index(b"\n", begin)]
        fields = text.split()
        if not fields:
            return "found an empty line"
        if status == skeleton_scan.NOT_FINITE:
            value = reprlib.repr(fields[detail].decode("utf-8", "replace"))
            return f"{'xyz'[detail]} is {value}"
        line = reprlib.repr(text.decode("utf-8", "replace").strip())
        count = f"{detail} fields, " if status == skeleton_scan.FIELDS else ""
        return f"found {count}{line}"

    def _id(self, begin: int, end: int) -> str:
        try:
            return self._content[begin:end].decode("utf-8")
        except UnicodeDecodeError as error:
            line = self._content.count(b"\n", 0, begin) + 1
            raise ValueError(f"line {line}: the id of a body is not UTF-8 text") from error


def _room(length: int, undecided: int) -> Room:
    """Arrays for as many bodies as text of that length can hold, whatever the text announces."""
    bodies = length // skeleton_scan.SHORTEST_BODY + 1
    return Room(
        coordinates=np.empty(bodies * JOINTS * 3, np.float32),
        body_of=np.empty(bodies, np.int32),
        frame_of=np.empty(bodies, np.int32),
        ids=np.empty((bodies, 2), np.int64),
        slots=np.full(1 << (2 * bodies).bit_length(), -1, np.int32),
        undecided=np.empty((undecided, 3), np.int64),
        state=np.zeros(10, np.int64),
    )
