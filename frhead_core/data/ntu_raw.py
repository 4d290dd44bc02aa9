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
    order, numbers, repeated = scanned.by_body()
    coordinates, frame_of = scanned.coordinates[order], scanned.frame_of[order]
    ends = np.cumsum(np.bincount(numbers, minlength=len(scanned.ids))).tolist()
    slices = [slice(*ends_) for ends_ in zip([0, *ends[:-1]], ends, strict=True)]
    bodies = tuple(
        _tracked_body(name, coordinates[rows], frame_of[rows], alone=len(slices) == 1)
        for name, rows in zip(scanned.ids, slices, strict=True)
    )
    return SkeletonFile(frames, scanned.frames - frames, bodies, repeated)


def _tracked_body(
    name: str, coordinates: np.ndarray, frame_numbers: np.ndarray, alone: bool
) -> TrackedBody:
    motion = None if alone else motion_of(coordinates)
    return TrackedBody(name, coordinates, int(frame_numbers[0]), frame_numbers, motion)


def motion_of(coordinates: np.ndarray) -> float:
    """How much a body, (n, V, 3) float32, moves: its variance in x, y and z, added up."""
    return float(_variance(coordinates.reshape(-1, 3)).sum())


@compiled
def _variance(rows: np.ndarray) -> np.ndarray:
    """Population variance of the columns of (R, 3) float32, as ``rows.var(axis=0)``, only faster.

    The same additions in the same order and precision, so the same result to the last bit.
    """
    number = np.float32(len(rows))
    mean = np.zeros(3, np.float32)
    for row in range(len(rows)):
        for axis in range(3):
            mean[axis] += rows[row, axis]
    mean /= number
    squares = np.zeros(3, np.float32)
    for row in range(len(rows)):
        for axis in range(3):
            away = rows[row, axis] - mean[axis]
            squares[axis] += away * away
    return squares / number


class _Scan:
    """What the compiled loop finds in a file.

    Attributes:
        coordinates: (A, V, C) float32, one entry for every appearance of a body, as in the file.
        body_of: (A,) int32, the place of the body in ``ids``.
        frame_of: (A,) int32, the valid frame.
        frames: How many frames there are.
        valid: How many of them have a body.
        ids: Of the bodies, in order of first appearance.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        room = self._scanned()
        state = room.state
        self._decide(room)
        appearances = slice(int(state[skeleton_scan.APPEARANCES]))
        self.coordinates = room.coordinates[appearances]
        self.body_of = room.body_of[appearances]
        self.frame_of = room.frame_of[appearances]
        self.frames = int(state[skeleton_scan.FRAME])
        self.valid = int(state[skeleton_scan.VALID_FRAMES])
        ids = room.ids[: state[skeleton_scan.BODIES]].tolist()
        self.ids = [self._id(begin, end) for begin, end in ids]

    def by_body(self) -> tuple[Any, np.ndarray, tuple[tuple[str, int], ...]]:
        """Appearances sorted by body: what selects them, the body of each, what is left out."""
        if len(self.ids) == 1 and len(self.body_of) == self.valid:
            return slice(None), self.body_of, ()
        order = np.argsort(self.body_of, kind="stable")
        numbers, frames = self.body_of[order], self.frame_of[order]
        again = np.zeros(len(order), bool)
        again[1:] = (numbers[1:] == numbers[:-1]) & (frames[1:] == frames[:-1])
        repeated = zip(numbers[again].tolist(), frames[again].tolist(), strict=True)
        left_out = tuple((self.ids[number], frame) for number, frame in repeated)
        return order[~again], numbers[~again], left_out

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
        places = room.coordinates.reshape(-1)
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
        coordinates=np.empty((bodies, JOINTS, 3), np.float32),
        body_of=np.empty(bodies, np.int32),
        frame_of=np.empty(bodies, np.int32),
        ids=np.empty((bodies, 2), np.int64),
        slots=np.full(1 << (2 * bodies).bit_length(), -1, np.int32),
        undecided=np.empty((undecided, 3), np.int64),
        state=np.zeros(10, np.int64),
    )
