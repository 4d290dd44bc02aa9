"""An articulated stick figure: people who act out gestures, and cameras that see them.

The figure is a kinematic chain of the 20 joints of NW-UCLA. Performers differ in the lengths of
their bones and in how far and fast they move. Lengths are in metres, angles in radians, x points to
the figure's left, y up, z to where it faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frhead_core.data.gestures import Gesture, Pose
from frhead_core.skeletons import skeleton

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
class Performer:
    """Who moves: factors on the length of each bone, and on how far and how fast he moves."""

    bones: dict[str, float]
    reach: float
    pace: float


@dataclass(frozen=True)
class Camera:
    """Where a camera stands: ``matrix`` (3, 3) turns the floor to it, ``place`` (3,) moves it."""

    matrix: np.ndarray
    place: np.ndarray

    def film(self, joints: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Joints (T, V, C) in the coordinates of the camera, with the noise of a sensor."""
        # Facing the camera means looking against its z axis.
        seen: np.ndarray = joints * (-1, 1, -1) @ self.matrix.T + self.place
        seen += generator.normal(0, _NOISE, joints.shape)
        return seen


def draw_performer(generator: np.random.Generator) -> Performer:
    """Someone to act."""
    size = generator.uniform(0.85, 1.1)
    bones: dict[str, float] = {}
    for name in _BONES:
        side, _, part = name.rpartition(" ")
        same_on_the_left = f"left {part}" if side == "right" else name
        bones[name] = bones.get(same_on_the_left) or size * generator.uniform(0.92, 1.08)
    return Performer(bones, reach=generator.uniform(0.85, 1.15), pace=generator.uniform(0.85, 1.2))


def draw_camera(view: int, generator: np.random.Generator) -> Camera:
    """The camera of a view, counted from 0, as it was set up for one recording."""
    standing = _CAMERA_TURNS[view] if view < len(_CAMERA_TURNS) else 0.7 * np.sin(1.0 + view)
    turn = np.array([standing + generator.normal(0, 0.08)])
    tilt = np.array([generator.normal(0.05, 0.03)])
    matrix = _turn(pitch=tilt)[0] @ _turn(pitch=np.zeros(1), yaw=turn)[0]
    away = np.array([generator.normal(0, 0.3), 0.1, _CAMERA_DISTANCE + generator.normal(0, 0.3)])
    return Camera(matrix, away)


def act(
    gesture: Gesture, who: Performer, frames: int, generator: np.random.Generator
) -> np.ndarray:
    """The joints (T, V, C) of a performer who does a gesture once, on the floor before him."""
    start, end = generator.uniform(0.0, 0.12), generator.uniform(0.88, 1.0)
    time = np.clip((np.linspace(0, 1, frames) - start) / (end - start), 0, 1)
    pose = gesture(time, who.pace, generator)
    sway = 0.03 * np.sin(2 * np.pi * (np.linspace(0, 1, frames) + generator.random()))
    return _joints(pose, who, sway)


def _joints(pose: Pose, who: Performer, sway: np.ndarray) -> np.ndarray:
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
