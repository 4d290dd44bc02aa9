"""A synthetic dataset in NTU RGB+D's format: stick figures, with what a sensor gets wrong.

Files are named and laid out as in NTU RGB+D 60 and 120, and every recording draws each kind of
noise that denoising knows with a stated share. What was put into which file is recorded beside the
files, in ``synthetic.json``.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frhead_core.data.draws import sample_generator
from frhead_core.data.gestures import GESTURES, Gesture, stand
from frhead_core.data.skeleton_text import TextStyle, Track, skeleton_text
from frhead_core.data.stick_figure import Camera, Performer, act, draw_camera, draw_performer
from frhead_core.data.synthetic_noise import SHORTEST, NoiseShares, tracked
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

ACTIONS = (5, 7, 8, 9, 14, 15, 50, 52, 58, 59, 61, 65, 67, 68, 70, 73, 84, 106, 107, 109)
"""Ten actions of each half of the dataset, three and four of them of two people."""
RECORD = "synthetic.json"
USUAL_NOISE = NoiseShares()

_FOLDER = "nturgb+d_skeletons"
_SUFFIX = ".skeleton"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made
_FIRST_SETUP_OF_120, _FIRST_ACTION_OF_120 = 18, 61
_TWO_PEOPLE = frozenset((*range(50, 61), *range(106, 121)))
_LARGEST = {"setups": 32, "cameras": 3, "performers": 106, "replications": 9, "actions": 120}
_BYSTANDER_SIZE = 0.7  # as someone farther away than he is measured: moves less than the actors

_GESTURES = {
    # action: gesture of NW-UCLA; the other actions take turns with all ten
    **{5: 3, 6: 2, 7: 11, 8: 5, 9: 6, 14: 8, 15: 9},
    **{50: 11, 52: 2, 58: 3, 59: 12, 60: 12},
}
_BOTH_ACT = frozenset((58, 59, 60, 109))
_FACING = {59: (3.2, 1.0), 60: (0.8, -1.0)}  # metres between two people, and 1 for face to face
_USUAL_FACING = (1.1, 1.0)


@dataclass(frozen=True)
class _Recording:
    """A file to be: its numbers as in its name."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @property
    def name(self) -> str:
        return (
            f"S{self.setup:03}C{self.camera:03}P{self.performer:03}"
            f"R{self.replication:03}A{self.action:03}"
        )

    def generator(self, seed: int) -> np.random.Generator:
        """Of its own, so that a file does not depend on which others are made."""
        digits = (self.setup, self.camera, self.performer, self.replication, self.action)
        index = 0
        for number in digits:
            index = index * 128 + number
        return sample_generator(seed, 2, index)


def write_ntu(
    output: Path,
    *,
    seed: int = 0,
    setups: Sequence[int] = (1, 2),
    cameras: Sequence[int] = (1, 2, 3),
    performers: Sequence[int] = (1, 2, 3),
    replications: Sequence[int] = (1,),
    actions: Sequence[int] = ACTIONS,
    frames: tuple[int, int] = (40, 60),
    noise: NoiseShares = USUAL_NOISE,
) -> Path:
    """Write synthetic recordings in NTU RGB+D's layout and naming.

    Every combination of the numbers is a recording, as far as it exists in the dataset: actions
    up to 60 in setups up to 17, the others in the others. The defaults put recordings into both
    parts of both splits of NTU RGB+D 60; setups 18 and 19 do so for what 120 adds. The same
    arguments give the same bytes, and a file's do not depend on which others are made. Real
    recordings have 60 to 150 frames, mostly.

    Args:
        output: A zip archive to write, if it ends in ``.zip``; else a directory.
        seed: Decides everything that is random.
        setups: Numbers of setups, 1 to 32.
        cameras: Numbers of cameras, 1 to 3.
        performers: Numbers of performers, 1 to 106.
        replications: Numbers of replications.
        actions: Numbers of actions, 1 to 120.
        frames: Fewest (at least 40) and most frames of a recording.
        noise: Shares of the recordings that get each kind of noise.

    Returns:
        ``output``.

    Raises:
        InputError: If a number is out of range, no recording remains, or ``output`` is a directory
            with something in it.
    """
    numbers = {"setups": setups, "cameras": cameras, "performers": performers,
               "replications": replications, "actions": actions}  # fmt: skip
    _check(numbers, frames)
    recordings = _recordings(*(sorted(set(values)) for values in numbers.values()))
    people = {number: draw_performer(sample_generator(seed, 3, number)) for number in performers}
    record: dict[str, Any] = {}
    with _archive_or_directory(output) as write:
        for recording in recordings:
            name = recording.name
            generator = recording.generator(seed)
            content, record[name] = _made(recording, people, frames, noise, generator)
            write(f"{_FOLDER}/{name}{_SUFFIX}", content)
        write(RECORD, _record(seed, noise, record))
    return output


def _recordings(
    setups: Sequence[int],
    cameras: Sequence[int],
    performers: Sequence[int],
    replications: Sequence[int],
    actions: Sequence[int],
) -> list[_Recording]:
    """Those that can exist, in the order of their names."""
    recordings = [
        _Recording(setup, camera, performer, replication, action)
        for setup in setups
        for camera in cameras
        for performer in performers
        for replication in replications
        for action in actions
        if (setup >= _FIRST_SETUP_OF_120) == (action >= _FIRST_ACTION_OF_120)
    ]
    if not recordings:
        raise InputError(
            "no recording has such numbers",
            field="actions",
            found=f"setups {list(setups)} and actions {list(actions)}",
            expected="actions 1 to 60 in setups 1 to 17, actions 61 to 120 in setups 18 to 32",
        )
    return recordings


def _made(
    recording: _Recording,
    people: dict[int, Performer],
    frames: tuple[int, int],
    noise: NoiseShares,
    generator: np.random.Generator,
) -> tuple[bytes, dict[str, Any]]:
    """The content of a file, and what was put into it."""
    length = int(generator.integers(*frames, endpoint=True))
    kinds = noise.draw(generator)
    camera = draw_camera(recording.camera - 1, generator)
    who = people[recording.performer]
    actors = [
        _filmed(floor, camera, generator)
        for floor in _performance(recording.action, who, length, generator)
    ]

    def bystander() -> np.ndarray:
        return _filmed(_bystander(length, generator), camera, generator)

    tracks = tracked(actors, kinds, bystander, generator)
    line_end = "\n" if "line_feed" in kinds else "\r\n"
    style = TextStyle(line_end, "E" if "capital_exponent" in kinds else "e")
    text = skeleton_text(length, tracks, style, generator)
    return text, _described(length, kinds, tracks)


def _performance(
    action: int, who: Performer, frames: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """Each actor's joints (T, V, C) on the floor, in the layout of NW-UCLA."""
    gesture = _gesture(action)
    if action not in _TWO_PEOPLE:
        return [act(gesture, who, frames, generator)]
    partner = draw_performer(generator)
    reply = gesture if action in _BOTH_ACT else stand
    apart, towards = _FACING.get(action, _USUAL_FACING)
    return [
        _placed(act(gesture, who, frames, generator), towards * np.pi / 2, (-apart / 2, 0, 0)),
        _placed(act(reply, partner, frames, generator), -towards * np.pi / 2, (apart / 2, 0, 0)),
    ]


def _gesture(action: int) -> Gesture:
    ten = list(GESTURES)
    return GESTURES[_GESTURES.get(action, ten[action % len(ten)])]


def _bystander(frames: int, generator: np.random.Generator) -> np.ndarray:
    joints = _BYSTANDER_SIZE * act(stand, draw_performer(generator), frames, generator)
    side = generator.choice((-1.2, 1.2))
    return _placed(joints, generator.uniform(-1, 1), (side, 0, -0.8))


def _placed(joints: np.ndarray, turn: float, place: tuple[float, float, float]) -> np.ndarray:
    """Joints (T, V, C) turned about the vertical, to the left, and moved."""
    sine, cosine = np.sin(turn), np.cos(turn)
    matrix = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    placed: np.ndarray = joints @ matrix.T + place
    return placed


def _filmed(floor: np.ndarray, camera: Camera, generator: np.random.Generator) -> np.ndarray:
    """(T, 25, 3) in the coordinates of the camera, of the 20 joints on the floor."""
    return camera.film(_FROM_NW_UCLA @ floor, generator)


def _from_nw_ucla() -> np.ndarray:
    """(25, 20) weights that make the joints of NTU RGB+D of those of NW-UCLA.

    Most bear the same name. The middle of the spine and the neck lie between joints, a hand's tip
    beyond the hand, and a thumb between wrist and hand, inwards.
    """
    theirs = {name: place for place, name in enumerate(skeleton("nw-ucla").joints)}
    mixed = {
        "base of spine": {"hip center": 1.0},
        "middle of spine": {"hip center": 0.45, "shoulder center": 0.55},
        "neck": {"shoulder center": 0.7, "head": 0.3},
        "spine between shoulders": {"shoulder center": 1.0},
    }
    for side, other in (("left", "right"), ("right", "left")):
        inwards = {f"{other} shoulder": 0.15, f"{side} shoulder": -0.15}
        mixed[f"tip of {side} hand"] = {f"{side} hand": 1.9, f"{side} wrist": -0.9}
        mixed[f"{side} thumb"] = {f"{side} hand": 0.6, f"{side} wrist": 0.4} | inwards
    joints = skeleton("ntu").joints
    weights = np.zeros((len(joints), len(theirs)))
    for row, joint in enumerate(joints):
        for name, weight in mixed.get(joint, {joint: 1.0}).items():
            weights[row, theirs[name]] = weight
    return weights


_FROM_NW_UCLA = _from_nw_ucla()


def _described(frames: int, kinds: frozenset[str], tracks: list[Track]) -> dict[str, Any]:
    shown = set[int]().union(*(track.frames.tolist() for track in tracks))
    return {
        "frames": frames,
        "noise": sorted(kinds),
        "empty_frames": sorted(set(range(frames)) - shown),
        "bodies": [
            {"id": track.body, "role": track.role, "frames": _runs(track.frames)}
            for track in tracks
        ],
    }


def _runs(frames: np.ndarray) -> list[list[int]]:
    """Unbroken stretches as [first, last]."""
    pieces = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return [[int(piece[0]), int(piece[-1])] for piece in pieces]


def _record(seed: int, noise: NoiseShares, recordings: dict[str, Any]) -> bytes:
    head = json.dumps({"seed": seed, "shares": asdict(noise)}, indent=2)[:-2]
    lines = ",\n".join(f'    "{name}": {json.dumps(what)}' for name, what in recordings.items())
    return f'{head},\n  "recordings": {{\n{lines}\n  }}\n}}\n'.encode()


@contextmanager
def _archive_or_directory(output: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Gives a function that writes a file; all of them appear at once, or none."""
    if output.is_dir() and (output.suffix == ".zip" or any(output.iterdir())):
        raise InputError("is a directory with something in it", file=output, hint="Name another")
    partial = output.with_name(f".{output.name}.partial")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        if output.suffix == ".zip":
            with zipfile.ZipFile(partial, "w") as archive:
                yield lambda name, content: _add_member(archive, name, content)
        else:
            (partial / _FOLDER).mkdir(parents=True)
            yield lambda name, content: _write_file(partial / name, content)
        partial.replace(output)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)


def _add_member(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=1)


def _write_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _check(numbers: dict[str, Sequence[int]], frames: tuple[int, int]) -> None:
    for name, values in numbers.items():
        wrong = [value for value in values if not 1 <= value <= _LARGEST[name]]
        if wrong or not values:
            raise InputError(
                "out of range",
                field=name,
                found=wrong[0] if wrong else "none",
                expected=f"1 to {_LARGEST[name]}",
            )
    if not SHORTEST <= frames[0] <= frames[1]:
        raise InputError(
            "out of range",
            field="frames",
            found=f"{frames[0]} to {frames[1]}",
            expected=f"at least {SHORTEST}, and no more than the second number",
        )
