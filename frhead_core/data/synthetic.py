"""A synthetic dataset in NW-UCLA's format: an articulated stick figure seen by several cameras.

The figure is a kinematic chain of the 20 joints. Performers differ in the lengths of their bones
and in how far and fast they move, views in where the camera stands, and every recording in tempo,
timing and sensor noise; the actions are the ten of the dataset, acted out. Lengths are in metres,
angles in radians, x points to the figure's left, y up, z to where it faces.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frhead_core.data import nw_ucla
from frhead_core.data.draws import sample_generator
from frhead_core.data.gestures import GESTURES, Pose
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

_FOLDER = "all_sqe"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made
_NOISE = 0.005  # metres, standard deviation of a joint's position
_CAMERA_DISTANCE = 3.0
_CAMERA_TURNS = (-0.6, 0.5, 0.0)  # about the vertical, of the first views

_BONES = {
    # child: (parent, offset from it in a figure that stands at rest)
    "spine": ("hip center", (0.0, 0.08, 0.0)),
    "shoulder center": ("spine", (0.0, 0.36, 0.0)),
    "head": ("shoulder center", (0.0, 0.20, 0.0)),
    "left shoulder": ("shoulder center", (0.17, -0.06, 0.0)),
    "left elbow": ("left shoulder", (0.0, -0.27, 0.0)),
    "left wrist": ("left elbow", (0.0, -0.23, 0.0)),
    "left hand": ("left wrist", (0.0, -0.08, 0.0)),
    "right shoulder": ("shoulder center", (-0.17, -0.06, 0.0)),
    "right elbow": ("right shoulder", (0.0, -0.27, 0.0)),
    "right wrist": ("right elbow", (0.0, -0.23, 0.0)),
    "right hand": ("right wrist", (0.0, -0.08, 0.0)),
    "left hip": ("hip center", (0.08, -0.06, 0.0)),
    "left knee": ("left hip", (0.0, -0.40, 0.0)),
    "left ankle": ("left knee", (0.0, -0.38, 0.0)),
    "left foot": ("left ankle", (0.0, -0.06, 0.10)),
    "right hip": ("hip center", (-0.08, -0.06, 0.0)),
    "right knee": ("right hip", (0.0, -0.40, 0.0)),
    "right ankle": ("right knee", (0.0, -0.38, 0.0)),
    "right foot": ("right ankle", (0.0, -0.06, 0.10)),
}


@dataclass(frozen=True)
class _Performer:
    """Who moves: factors on the length of each bone, and on how far and how fast he moves."""

    bones: dict[str, float]
    reach: float
    pace: float


def write_nw_ucla(
    output: Path,
    *,
    seed: int = 0,
    performers: int,
    replications: int,
    views: int = 3,
    actions: int = 10,
    frames: tuple[int, int] = (30, 50),
) -> Path:
    """Write a zip archive of synthetic recordings in NW-UCLA's layout and naming.

    Every performer does every action ``replications`` times, seen in every view. The same
    arguments give the same bytes.

    Args:
        output: The archive to write.
        seed: Decides everything that is random.
        performers: How many people, at most 99.
        replications: How often each repeats an action, at most 100.
        views: How many cameras, at most 99.
        actions: How many of the ten actions.
        frames: Fewest and most frames of a recording.

    Returns:
        ``output``.

    Raises:
        InputError: If a number is out of range.
    """
    _check_ranges(performers=performers, replications=replications, views=views, actions=actions)
    partial = output.with_name(f".{output.name}.partial")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write_archive(partial, seed, (performers, replications, views, actions), frames)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return output


def _write_archive(
    path: Path, seed: int, counts: tuple[int, int, int, int], frames: tuple[int, int]
) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, label, coordinates in _recordings(seed, counts, frames):
            rounded = coordinates.round(5).tolist()
            content = {"file_name": name, "skeletons": rounded, "label": label + 1}
            entry = zipfile.ZipInfo(f"{_FOLDER}/{name}{nw_ucla.SUFFIX}", _EPOCH_OF_ZIP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(content))


def _recordings(
    seed: int, counts: tuple[int, int, int, int], frames: tuple[int, int]
) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, class and coordinates (T, V, C) of every recording, in the order of the names."""
    performers, replications, views, actions = counts
    people = [_performer(sample_generator(seed, 1, number)) for number in range(performers)]
    shape = (actions, performers, replications, views)
    for place in np.ndindex(shape):
        label, performer, replication, view = place
        generator = sample_generator(seed, 0, int(np.ravel_multi_index(place, shape)))
        action = list(nw_ucla.ACTIONS)[label]
        name = f"a{action:02}_s{performer + 1:02}_e{replication:02}_v{view + 1:02}"
        length = int(generator.integers(*frames, endpoint=True))
        joints = _act(action, people[performer], length, generator)
        yield name, label, _film(joints, view, generator)


def _performer(generator: np.random.Generator) -> _Performer:
    size = generator.uniform(0.85, 1.1)
    bones: dict[str, float] = {}
    for name in _BONES:
        side, _, part = name.rpartition(" ")
        same_on_the_left = f"left {part}" if side == "right" else name
        bones[name] = bones.get(same_on_the_left) or size * generator.uniform(0.92, 1.08)
    return _Performer(bones, reach=generator.uniform(0.85, 1.15), pace=generator.uniform(0.85, 1.2))


def _act(action: int, who: _Performer, frames: int, generator: np.random.Generator) -> np.ndarray:
    """The joints (T, V, C) of a performer who does an action once, on the floor before him."""
    start, end = generator.uniform(0.0, 0.12), generator.uniform(0.88, 1.0)
    time = np.clip((np.linspace(0, 1, frames) - start) / (end - start), 0, 1)
    pose = GESTURES[action](time, who.pace, generator)
    sway = 0.03 * np.sin(2 * np.pi * (np.linspace(0, 1, frames) + generator.random()))
    return _joints(pose, who, sway)


def _joints(pose: Pose, who: _Performer, sway: np.ndarray) -> np.ndarray:
    """Forward kinematics: every bone turned by its joint's angles, on top of its parent's turns."""
    layout = skeleton("nw-ucla")
    place = {name: index for index, name in enumerate(layout.joints)}
    frames = len(sway)
    joints = np.zeros((frames, len(place), 3))
    turns = {"hip center": _turn(pitch=sway, yaw=pose.heading)}
    joints[:, 0] = pose.position
    for name, (parent, offset) in _BONES.items():
        pitch, roll = pose.angles.get(name, (0.0, 0.0))
        own = _turn(pitch=who.reach * pitch + np.zeros(frames), roll=roll + np.zeros(frames))
        turns[name] = turns[parent] @ own
        bone = turns[name] @ (np.array(offset) * who.bones[name])
        joints[:, place[name]] = joints[:, place[parent]] + bone
    return joints


def _turn(
    pitch: np.ndarray, yaw: np.ndarray | None = None, roll: np.ndarray | None = None
) -> np.ndarray:
    """Matrices (T, 3, 3), for column vectors, of turns: yaw after roll after pitch.

    Positive pitch swings what hangs down forwards, positive yaw turns to the left, positive roll
    lifts what hangs down to the left.
    """
    matrix = _axis_turn(-pitch, 1, 2)
    if roll is not None:
        matrix = _axis_turn(roll, 0, 1) @ matrix
    if yaw is not None:
        matrix = _axis_turn(yaw, 2, 0) @ matrix
    return matrix


def _axis_turn(angle: np.ndarray, first: int, second: int) -> np.ndarray:
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:] = np.eye(3)
    matrix[:, first, first] = matrix[:, second, second] = np.cos(angle)
    matrix[:, second, first] = np.sin(angle)
    matrix[:, first, second] = -np.sin(angle)
    return matrix


def _film(joints: np.ndarray, view: int, generator: np.random.Generator) -> np.ndarray:
    """The joints in the coordinates of a camera, with the noise of a sensor."""
    standing = _CAMERA_TURNS[view] if view < len(_CAMERA_TURNS) else 0.7 * np.sin(1.0 + view)
    turn = np.array([standing + generator.normal(0, 0.08)])
    tilt = np.array([generator.normal(0.05, 0.03)])
    matrix = _turn(pitch=tilt)[0] @ _turn(pitch=np.zeros(1), yaw=turn)[0]
    away = np.array([generator.normal(0, 0.3), 0.1, _CAMERA_DISTANCE + generator.normal(0, 0.3)])
    # Facing the camera means looking against its z axis.
    seen: np.ndarray = joints * (-1, 1, -1) @ matrix.T + away
    seen += generator.normal(0, _NOISE, joints.shape)
    return seen


def _check_ranges(**numbers: int) -> None:
    largest = {"performers": 99, "replications": 100, "views": 99, "actions": len(nw_ucla.ACTIONS)}
    for name, number in numbers.items():
        if not 1 <= number <= largest[name]:
            raise InputError(
                "out of range", field=name, found=number, expected=f"1 to {largest[name]}"
            )
