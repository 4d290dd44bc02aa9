"""Writing text files in NTU RGB+D's ``.skeleton`` format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_JOINTS = 25
_NUMBERS = 11  # of a joint's line, before its tracking state
_TRACKED = 2
_DEPTH_FOCUS, _DEPTH_CENTRE = 366.0, (256.0, 212.0)  # pixels
_COLOUR_FOCUS, _COLOUR_CENTRE = 1081.0, (960.0, 540.0)
_NEAREST = 0.3  # metres; what is nearer is projected as if it were there


@dataclass(frozen=True)
class Track:
    """A body that a sensor followed.

    Attributes:
        body: Its id.
        role: What it really is, for the record.
        frames: (n,) int64, ascending: frames of the file in which it was seen.
        joints: (n, V, C) in the coordinates of the camera, V = 25.
    """

    body: str
    role: str
    frames: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class TextStyle:
    """How lines end, and whether exponents are written with a small or a capital letter."""

    line_end: str = "\r\n"
    exponent: str = "e"


def skeleton_text(
    frames: int, tracks: Sequence[Track], style: TextStyle, generator: np.random.Generator
) -> bytes:
    """A file of ``frames`` frames with those of the bodies that each of them shows.

    What the models never see (hand states, pixels, orientations) is made up: pixels by projecting
    the joints, the rest by drawing it.
    """
    template = _body_template(style)
    bodies: list[list[str]] = [[] for _ in range(frames)]
    for track in tracks:
        numbers = _numbers(track.joints, generator)
        for frame, row in zip(track.frames.tolist(), numbers.tolist(), strict=True):
            bodies[frame].append(template % (track.body, *row))
    end = style.line_end
    parts = [f"{frames}{end}"]
    for present in bodies:
        parts += [f"{len(present)}{end}", *present]
    return "".join(parts).encode("ascii")


def _body_template(style: TextStyle) -> str:
    """A body's ten tokens, the number of its joints, and a line of twelve numbers for each."""
    number = "%.7g" if style.exponent == "e" else "%.7G"
    body = f"%s %d %d %d %d %d %d {number} {number} {_TRACKED}"
    joint = f"{number} " * _NUMBERS + "%d"
    return style.line_end.join([body, str(_JOINTS), *[joint] * _JOINTS]) + style.line_end


def _numbers(joints: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The numbers of each frame of a body after its id: (n, 8 + 25 * 12)."""
    count = len(joints)
    hands = generator.integers(0, 2, (count, 6))
    lean = generator.normal(0, 0.2, (count, 2))
    away = np.maximum(joints[..., 2:], _NEAREST)
    slopes = joints[..., :2] * (1, -1) / away
    orientation = generator.normal(size=(count, _JOINTS, 4))
    orientation /= np.linalg.norm(orientation, axis=2, keepdims=True)
    state = np.full((count, _JOINTS, 1), _TRACKED)
    columns = (
        joints,
        _DEPTH_FOCUS * slopes + _DEPTH_CENTRE,
        _COLOUR_FOCUS * slopes + _COLOUR_CENTRE,
        orientation,
        state,
    )
    lines = np.concatenate(columns, axis=2).reshape(count, -1)
    return np.concatenate([hands, lean, lines], axis=1)
