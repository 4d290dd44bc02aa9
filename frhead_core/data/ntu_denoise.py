"""Which of the tracked bodies of an NTU RGB+D recording are its actors.

The Kinect takes furniture for people, loses people and gives them new ids. The rules are those of
the reference preparation that all published accuracies rest on: bodies that are too short or lie
too wide go, the others are given to at most two actors in the order of their motion, and a body
that shares no time with those of an actor before it continues that actor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from frhead_core.config import Compatibility
from frhead_core.data.presence import present
from frhead_core.data.recordings import Recording
from frhead_core.data.tracked_bodies import TrackedBody, TrackedRecording

SHORTEST_BODY = 12  # frames
WIDEST_SPREAD = np.float32(0.8)  # extent in x over extent in y; standing people are tall
MOST_WIDE_FRAMES = 0.69754  # share of a body's frames

TOO_SHORT = "too short"
TOO_WIDE = "too wide"
WIDE_FRAMES = "wide frames"
NO_PLACE = "no place"
MAIN_ACTOR = "main actor"
ACTORS = ("actor 1", "actor 2")
EMPTY_FRAMES = "empty frames"
ABSENT = ("actor 1 absent", "actor 2 absent")
SECOND_UNEXPECTED = "second actor unexpected"
SECOND_LOST = "second actor lost"

ALL_TOO_SHORT = f"every body is shorter than {SHORTEST_BODY} frames"
NOTHING_TRACKED = "no joint was tracked"
FIRST_NOT_TRACKED = "no joint of the first actor was tracked"

_TWO_PERSON_ACTIONS = frozenset((*range(50, 61), *range(106, 121)))


class Filtered(NamedTuple):
    """One thing that a rule did to a recording; what does not apply is None.

    Frames are counted from 0 over those with any body, before empty ones are taken out.

    Attributes:
        name: The recording.
        rule: ``too short`` (value: frames) and ``too wide`` (value: share of wide frames) remove
            a body; ``wide frames`` lowers its motion to that of its other frames if that is less
            (motion: before, value: after); ``no place``: both actors are somebody else at that
            time. ``main actor``: the only one left of several; ``actor 1`` and ``actor 2``: whose
            part the body is. ``empty frames`` were taken out (value: how many). ``actor 1
            absent`` and ``actor 2 absent``: in how many frames, from the first to the last of
            them. ``second actor unexpected`` and ``second actor lost``: the number of actors is
            not that of the action.
        body: The sensor's id.
        first: First frame.
        last: Last frame.
        motion: Of the body, in square metres.
        value: What the rule measured.
    """

    name: str
    rule: str
    body: str = ""
    first: int | None = None
    last: int | None = None
    motion: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class Denoised:
    """What the rules leave of a recording.

    Attributes:
        sequence: (M, T, V, C) float32 in metres, M 1 or 2; None if nothing usable is left.
        filtered: What the rules did, in order.
        reason: Why nothing usable is left.
    """

    sequence: np.ndarray | None
    filtered: tuple[Filtered, ...] = ()
    reason: str | None = None


class _Candidate(NamedTuple):
    """A body with its place in time: ``frames`` are the rows of the sequence that it fills."""

    body: TrackedBody
    first: int
    last: int
    motion: float
    frames: slice | np.ndarray

    def row(self, name: str, rule: str, value: float | None = None) -> Filtered:
        return Filtered(name, rule, self.body.id, self.first, self.last, self.motion, value)


def denoise(tracked: TrackedRecording, compatibility: Compatibility = "reference") -> Denoised:
    """Choose the actors of a recording and put their bodies together.

    Args:
        tracked: The recording.
        compatibility: ``reference`` closes the gap of a body that vanishes and comes back, and
            lets the second actor's time begin with the recording; ``corrected`` does neither.
    """
    if len(tracked.bodies) == 1:
        return _finished(_placed(tracked, [_candidates(tracked, compatibility)], persons=1), ())
    name = tracked.recording.name
    rows: list[Filtered] = []
    left = _drop_short(_candidates(tracked, compatibility), name, rows)
    if not left:
        return Denoised(None, tuple(rows), ALL_TOO_SHORT)
    left = _drop_wide(left, name, rows)
    if len(left) == 1:
        actors = [left]
        rows.append(left[0].row(name, MAIN_ACTOR))
    else:
        actors = _assign(sorted(left, key=lambda one: -one.motion), compatibility, name, rows)
    rows += _unexpected(tracked.recording, len(left))
    sequence = _placed(tracked, actors, persons=len(actors))
    return _finished(_without_empty_frames(sequence, name, rows), tuple(rows))


def _candidates(tracked: TrackedRecording, compatibility: Compatibility) -> list[_Candidate]:
    return [_candidate(body, compatibility) for body in tracked.bodies]


def _candidate(body: TrackedBody, compatibility: Compatibility) -> _Candidate:
    motion = 0.0 if body.motion is None else body.motion
    if compatibility == "corrected":
        numbers = body.frame_numbers
        return _Candidate(body, int(numbers[0]), int(numbers[-1]), motion, numbers)
    end = body.start + len(body.coordinates)
    return _Candidate(body, body.start, end - 1, motion, slice(body.start, end))


def _drop_short(bodies: Sequence[_Candidate], name: str, rows: list[Filtered]) -> list[_Candidate]:
    left = []
    for one in bodies:
        frames = len(one.body.coordinates)
        if frames < SHORTEST_BODY:
            rows.append(one.row(name, TOO_SHORT, frames))
        else:
            left.append(one)
    return left


def _drop_wide(bodies: Sequence[_Candidate], name: str, rows: list[Filtered]) -> list[_Candidate]:
    """Without the bodies that mostly lie wide; the last one left is never judged."""
    kept: list[_Candidate] = []
    left = len(bodies)
    for one in bodies:
        wide = wide_frames(one.body.coordinates) if left > 1 else np.zeros(1, dtype=bool)
        share = np.count_nonzero(wide) / len(wide)
        if share >= MOST_WIDE_FRAMES:
            left -= 1
            rows.append(one.row(name, TOO_WIDE, share))
        elif share > 0:
            motion = min(one.motion, motion_of(one.body.coordinates[~wide]))
            rows.append(one.row(name, WIDE_FRAMES, motion))
            kept.append(one._replace(motion=motion))
        else:
            kept.append(one)
    return kept


def wide_frames(coordinates: np.ndarray) -> np.ndarray:
    """Which frames of a body, (n, V, C) float32, are wider than a person: (n,) bool."""
    joints = np.ascontiguousarray(coordinates.transpose(1, 2, 0)[:, :2])  # V C n: long rows
    extent = joints.max(axis=0) - joints.min(axis=0)
    wide: np.ndarray = extent[0] > WIDEST_SPREAD * extent[1]
    return wide


def motion_of(coordinates: np.ndarray) -> float:
    """Population variance of x, y and z over the frames and joints of (n, V, C), added up."""
    return float(coordinates.reshape(-1, coordinates.shape[-1]).var(axis=0).sum())


def _assign(
    bodies: Sequence[_Candidate], compatibility: Compatibility, name: str, rows: list[Filtered]
) -> list[list[_Candidate]]:
    """The bodies of either actor. A body belongs to the first actor that is not there at its time.

    An actor's time runs from the first to the last frame of its bodies, gaps included; one frame
    in common does not count.
    """
    second = (0, 0) if compatibility == "reference" else None
    times: list[tuple[int, int] | None] = [None, second]
    actors: list[list[_Candidate]] = [[], []]
    for one in bodies:
        for actor, time in enumerate(times):
            if time is None or min(time[1], one.last) - max(time[0], one.first) <= 0:
                first, last = time or (one.first, one.last)
                times[actor] = min(first, one.first), max(last, one.last)
                actors[actor].append(one)
                rows.append(one.row(name, ACTORS[actor]))
                break
        else:
            rows.append(one.row(name, NO_PLACE))
    return actors


def _placed(
    tracked: TrackedRecording, actors: Sequence[Sequence[_Candidate]], persons: int
) -> np.ndarray:
    """(M, T, V, C); where two bodies of an actor meet in a frame, the later one stays."""
    first = actors[0][0].body.coordinates
    if persons == len(actors[0]) == 1 and len(first) == tracked.frames:
        return first[np.newaxis]
    frame_shape = tracked.bodies[0].coordinates.shape[1:]
    sequence = np.zeros((persons, tracked.frames, *frame_shape), dtype=np.float32)
    for actor, bodies in enumerate(actors):
        for one in bodies:
            sequence[actor, one.frames] = one.body.coordinates
    return sequence


def _without_empty_frames(sequence: np.ndarray, name: str, rows: list[Filtered]) -> np.ndarray:
    there = present(sequence)
    used: np.ndarray = np.logical_or.reduce(there)
    empty = len(used) - np.count_nonzero(used)
    if empty:
        rows.append(Filtered(name, EMPTY_FRAMES, value=int(empty)))
    if len(sequence) == 2:
        for rule, frames in zip(ABSENT, there, strict=True):
            absent = np.flatnonzero(~frames)
            if absent.size:
                first, last = int(absent[0]), int(absent[-1])
                rows.append(Filtered(name, rule, first=first, last=last, value=absent.size))
    return sequence[:, used] if empty else sequence


def _unexpected(recording: Recording, left: int) -> list[Filtered]:
    for_two = recording.action in _TWO_PERSON_ACTIONS
    if left > 1 and not for_two:
        return [Filtered(recording.name, SECOND_UNEXPECTED, value=left)]
    if left == 1 and for_two:
        return [Filtered(recording.name, SECOND_LOST, value=left)]
    return []


def _finished(sequence: np.ndarray, rows: tuple[Filtered, ...]) -> Denoised:
    if sequence[0].any():
        return Denoised(sequence, rows)
    reason = FIRST_NOT_TRACKED if sequence.any() else NOTHING_TRACKED
    return Denoised(None, rows, reason)
