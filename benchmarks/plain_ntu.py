"""NTU RGB+D's preparation written plainly, as the thing to be faster than.

One process goes through the lines of one file after the other, makes arrays of the numbers of each
joint and stacks them frame by frame, as the published scripts do; then the rules of denoising and
the centring, sequence by sequence. Left out is what those scripts write on the way: their logs, and
a text file for every recording with several bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

JOINTS = 25
FEWEST_FRAMES = 12
WIDEST = 0.8
MOST_WIDE_FRAMES = 0.69754


@dataclass
class PlainBody:
    """Joints (25 n, 3), colour coordinates (n, 25, 2), and the n frames it is said to be in."""

    joints: np.ndarray
    colours: np.ndarray
    interval: list[int]
    motion: float = 0.0

    @property
    def frames(self) -> np.ndarray:
        """(n, 75) the joints, a frame a row."""
        return self.joints.reshape(-1, 3 * JOINTS)


def prepare(texts: Iterable[str]) -> Iterator[np.ndarray]:
    """The centred sequence (T, 75 or 150) of each file."""
    for text in texts:
        yield centred(denoised(*read(text)))


def read(text: str) -> tuple[dict[str, PlainBody], int]:
    """The bodies of a file by id, and how many of its frames have a body."""
    lines = text.splitlines()
    count, line, valid = int(lines[0]), 1, 0
    bodies: dict[str, PlainBody] = {}
    for _ in range(count):
        bodies_of_frame = int(lines[line])
        line += 1
        if bodies_of_frame == 0:
            continue
        for _ in range(bodies_of_frame):
            name = lines[line].split()[0]
            joints_of_body = int(lines[line + 1])
            line += 2
            joints = np.zeros((JOINTS, 3), dtype=np.float32)
            colours = np.zeros((JOINTS, 2), dtype=np.float32)
            for joint in range(joints_of_body):
                fields = lines[line].split()
                joints[joint] = np.array(fields[:3], dtype=np.float32)
                colours[joint] = np.array(fields[5:7], dtype=np.float32)
                line += 1
            if name not in bodies:
                bodies[name] = PlainBody(joints, colours[np.newaxis], [valid])
            else:
                body = bodies[name]
                body.joints = np.vstack((body.joints, joints))
                body.colours = np.vstack((body.colours, colours[np.newaxis]))
                body.interval.append(body.interval[-1] + 1)
        valid += 1
    if len(bodies) > 1:
        for body in bodies.values():
            body.motion = np.sum(np.var(body.joints, axis=0))
    return bodies, valid


def denoised(bodies: dict[str, PlainBody], frames: int) -> np.ndarray:
    """(T, 75) of a lone body or the only one left, else (T, 150) of two actors."""
    if len(bodies) == 1:
        return alone(next(iter(bodies.values())), frames)
    kept = {name: body for name, body in bodies.items() if len(body.interval) >= FEWEST_FRAMES}
    if len(kept) > 1:
        kept = not_too_wide(kept)
    if len(kept) == 1:
        sequence = alone(next(iter(kept.values())), frames)
    else:
        sequence = two_actors(sorted(kept.values(), key=lambda body: -body.motion), frames)
    return sequence[[row for row in range(len(sequence)) if np.sum(sequence[row]) != 0]]


def alone(body: PlainBody, frames: int) -> np.ndarray:
    sequence = np.zeros((frames, 3 * JOINTS), dtype=np.float32)
    sequence[body.interval[0] : body.interval[-1] + 1] = body.frames
    return sequence


def not_too_wide(bodies: dict[str, PlainBody]) -> dict[str, PlainBody]:
    kept = dict(bodies)
    for name, body in bodies.items():
        if len(kept) == 1:
            break
        good = []
        for frame, row in enumerate(body.frames):
            x, y = row[0::3], row[1::3]
            if max(x) - min(x) <= WIDEST * (max(y) - min(y)):
                good.append(frame)
        bad = 1 - len(good) / len(body.interval)
        if bad >= MOST_WIDE_FRAMES:
            del kept[name]
        elif bad > 0:
            clean = body.frames[good].reshape(-1, 3)
            body.motion = min(body.motion, np.sum(np.var(clean, axis=0)))
    return kept


def two_actors(bodies: list[PlainBody], frames: int) -> np.ndarray:
    sequence = np.zeros((frames, 6 * JOINTS), dtype=np.float32)
    hulls = [[bodies[0].interval[0], bodies[0].interval[-1]], [0, 0]]
    place(sequence, bodies[0], 0)
    for body in bodies[1:]:
        start, end = body.interval[0], body.interval[-1]
        for actor, hull in enumerate(hulls):
            if min(hull[1], end) - max(hull[0], start) <= 0:
                place(sequence, body, actor)
                hulls[actor] = [min(hull[0], start), max(hull[1], end)]
                break
    return sequence


def place(sequence: np.ndarray, body: PlainBody, actor: int) -> None:
    columns = slice(3 * JOINTS * actor, 3 * JOINTS * (actor + 1))
    sequence[body.interval[0] : body.interval[-1] + 1, columns] = body.frames


def centred(sequence: np.ndarray) -> np.ndarray:
    """The middle of the first actor's spine in his first frame becomes the origin."""
    width = 3 * JOINTS
    absent = [
        (row, actor)
        for actor in range(sequence.shape[1] // width)
        for row in range(len(sequence))
        if np.sum(sequence[row, actor * width : (actor + 1) * width]) == 0
    ]
    first = 0
    while not np.any(sequence[first, :width]):
        first += 1
    origin = np.tile(sequence[first, 3:6], sequence.shape[1] // 3)
    for row in range(len(sequence)):
        sequence[row] -= origin
    if sequence.shape[1] > width:
        for row, actor in absent:
            sequence[row, actor * width : (actor + 1) * width] = 0
    return sequence
