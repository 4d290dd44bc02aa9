"""The ten actions of NW-UCLA as a stick figure acts them out: angles of its joints over time.

Every gesture is a function of ``time`` (T,), which runs from 0 to 1 over the action, of the
performer's pace, and of a generator for what differs between repetitions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Angles = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Pose:
    """A figure over time.

    Attributes:
        position: (T, 3) of the hips, in metres; 0 is where a standing figure's hips are.
        heading: (T,) turn about the vertical, in radians.
        angles: For the bone that ends in a joint: (pitch, roll), two (T,) in radians. Pitch
            swings a hanging bone forwards, roll lifts it to the figure's left.
    """

    position: np.ndarray
    heading: np.ndarray
    angles: Angles


Gesture = Callable[[np.ndarray, float, np.random.Generator], Pose]


def _pulse(time: np.ndarray, centre: float, width: float) -> np.ndarray:
    """0, up to 1 at ``centre``, and back to 0, within ``width`` on either side."""
    phase = np.clip((time - centre) / width, -1, 1)
    pulse: np.ndarray = 0.5 + 0.5 * np.cos(np.pi * phase)
    return pulse


def _rise(time: np.ndarray, begin: float, end: float) -> np.ndarray:
    """0 until ``begin``, 1 from ``end`` on, smooth between."""
    phase = np.clip((time - begin) / (end - begin), 0, 1)
    rise: np.ndarray = 0.5 - 0.5 * np.cos(np.pi * phase)
    return rise


def _standing(time: np.ndarray, generator: np.random.Generator) -> Pose:
    position = np.zeros((len(time), 3))
    return Pose(position, np.full(len(time), generator.normal(0, 0.15)), {})


def _bend(pose: Pose, amount: np.ndarray) -> None:
    """Bend at hips and knees, ``amount`` from 0 (upright) to 1 (hands near the floor)."""
    nothing = np.zeros_like(amount)
    pose.angles["spine"] = (-0.9 * amount, nothing)
    pose.angles["shoulder center"] = (-0.4 * amount, nothing)
    _sink(pose, 0.6 * amount)


def _sink(pose: Pose, amount: np.ndarray) -> None:
    """Lower the hips by bending the knees; 1 is as on a chair."""
    nothing = np.zeros_like(amount)
    for side in ("left", "right"):
        pose.angles[f"{side} knee"] = (1.5 * amount, nothing)
        pose.angles[f"{side} ankle"] = (-1.5 * amount, nothing)
    pose.position[:, 1] -= 0.40 * (1 - np.cos(1.5 * amount))
    pose.position[:, 2] -= 0.40 * np.sin(1.5 * amount)


def _arm(
    pose: Pose, side: str, shoulder: np.ndarray, elbow: np.ndarray, outwards: np.ndarray
) -> None:
    """Swing an arm forwards at the shoulder, bend it at the elbow, and lift it outwards."""
    sign = 1 if side == "left" else -1
    pose.angles[f"{side} elbow"] = (shoulder, sign * outwards)
    pose.angles[f"{side} wrist"] = (elbow, np.zeros_like(elbow))


def _steps(pose: Pose, time: np.ndarray, pace: float, generator: np.random.Generator) -> np.ndarray:
    """Walk: swing the legs and move forwards along the heading. Returns the swing, (T,)."""
    phase = 2 * np.pi * (2.2 * pace * time + generator.random())
    nothing = np.zeros_like(time)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(phase)
        lift = np.maximum(sign * np.cos(phase), 0)
        pose.angles[f"{side} knee"] = (0.5 * swing, nothing)
        pose.angles[f"{side} ankle"] = (-0.7 * lift, nothing)
    pace_length = 1.6 * pace / len(time)
    forwards = np.stack([np.sin(pose.heading), nothing, np.cos(pose.heading)], axis=1)
    pose.position[:] += pace_length * np.cumsum(forwards, axis=0)
    swing_of_legs: np.ndarray = np.sin(phase)
    return swing_of_legs


def _pick_up(both: bool) -> Gesture:
    def gesture(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
        pose = _standing(time, generator)
        down = _pulse(time, generator.uniform(0.4, 0.55), 0.4 / pace)
        _bend(pose, down)
        nothing = np.zeros_like(time)
        _arm(pose, "right", 1.7 * down, 0.2 * down, 0.1 * down)
        _arm(pose, "left", 1.7 * down if both else -0.5 * down, 0.2 * down, nothing)
        return pose

    return gesture


def _drop(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
    pose = _standing(time, generator)
    out = _pulse(time, generator.uniform(0.4, 0.55), 0.35 / pace)
    _arm(pose, "right", 0.7 * out, 0.3 * out, 0.9 * out)
    return pose


def _walk(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
    turning = generator.choice((-1, 1)) * generator.uniform(2.0, 3.5)
    pose = _standing(time, generator)
    pose.heading[:] += turning * time
    swing = _steps(pose, time, pace, generator)
    nothing = np.zeros_like(time)
    _arm(pose, "left", -0.5 * swing, nothing + 0.2, nothing)
    _arm(pose, "right", 0.5 * swing, nothing + 0.2, nothing)
    return pose


def _chair(reverse: bool) -> Gesture:
    def gesture(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
        pose = _standing(time, generator)
        moment = generator.uniform(0.15, 0.3)
        seated = _rise(time, moment, moment + 0.45 / pace)
        leaning = _pulse(time, moment + 0.22 / pace, 0.25 / pace)
        if reverse:
            seated = 1 - seated
        _sink(pose, seated)
        pose.angles["spine"] = (-0.7 * leaning, np.zeros_like(time))
        for side in ("left", "right"):
            _arm(pose, side, 0.5 * seated, 0.9 * seated, np.zeros_like(time))
        return pose

    return gesture


def _coat(reverse: bool) -> Gesture:
    """One arm after the other: up and out to put a coat on, behind the back to take it off."""

    def gesture(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
        pose = _standing(time, generator)
        first = generator.uniform(0.22, 0.32)
        for side, moment in (("right", first), ("left", first + 0.4)):
            raised = _pulse(time, moment, 0.28 / pace)
            if reverse:
                _arm(pose, side, -0.9 * raised, 0.9 * raised, 0.3 * raised)
            else:
                _arm(pose, side, 0.8 * raised, 1.4 * raised, 1.4 * raised)
        return pose

    return gesture


def _throw(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
    pose = _standing(time, generator)
    moment = generator.uniform(0.35, 0.45)
    back = _pulse(time, moment, 0.25 / pace)
    forth = _pulse(time, moment + 0.28, 0.22 / pace)
    _arm(pose, "right", 2.6 * back + 1.7 * forth, 1.6 * back, np.zeros_like(time))
    pose.angles["spine"] = (0.25 * back - 0.4 * forth, np.zeros_like(time))
    return pose


def stand(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
    """Nothing: what someone does who is only there."""
    return _standing(time, generator)


def _carry(time: np.ndarray, pace: float, generator: np.random.Generator) -> Pose:
    pose = _standing(time, generator)
    _steps(pose, time, 0.8 * pace, generator)
    nothing = np.zeros_like(time)
    for side in ("left", "right"):
        _arm(pose, side, nothing + 0.5, nothing + 1.1, nothing)
    return pose


GESTURES: dict[int, Gesture] = {
    1: _pick_up(both=False),
    2: _pick_up(both=True),
    3: _drop,
    4: _walk,
    5: _chair(reverse=False),
    6: _chair(reverse=True),
    8: _coat(reverse=False),
    9: _coat(reverse=True),
    11: _throw,
    12: _carry,
}
"""The gesture of each action number of NW-UCLA."""
