"""What a depth sensor gets wrong, put on purpose into synthetic NTU recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frhead_core.data.skeleton_text import Track

SHORTEST = 40
"""Frames of a recording: with fewer a person whose id changes may have too few under each."""

_FIRST_ID = 2**56  # ids are text: no double holds them all
_STRAY_FRAMES = 11  # at most; denoising removes what is that short
_OBJECT_FRAMES = 14  # at least
_FLAT, _UPRIGHT = (0.9, 0.35, 0.3), (0.35, 0.9, 0.3)  # metres
_GAP_FRAMES = (2, 6)
_JOINTS = 25


@dataclass(frozen=True)
class NoiseShares:
    """Share of the recordings that get each kind of noise, from 0 to 1.

    Attributes:
        empty_frames: For a few frames, once or twice, nobody is tracked.
        stray: One or two bodies of 1 to 11 frames that are none.
        flat_object: Something wide and low, in all or most of its frames, is taken for a body.
        partly_flat_object: The same in 15 to 60 % of its frames; upright in the others.
        bystander: Someone stands in the background.
        id_change: From the middle on a person has another id, at times with both for some frames.
        vanish: A person is lost for some frames and comes back with the same id, while another
            body is there. Never with ``id_change``: the two shares add up to 1 at most.
        lost_partner: Of the actions of two people: the second is tracked for a while only.
        line_feed: Lines end in LF instead of CRLF.
        capital_exponent: Exponents are written with E.
    """

    empty_frames: float = 0.15
    stray: float = 0.15
    flat_object: float = 0.08
    partly_flat_object: float = 0.05
    bystander: float = 0.05
    id_change: float = 0.1
    vanish: float = 0.1
    lost_partner: float = 0.1
    line_feed: float = 0.2
    capital_exponent: float = 0.2

    def draw(self, generator: np.random.Generator) -> frozenset[str]:
        """The kinds that one recording gets."""
        shares = vars(self) | {"vanish": 0.0, "id_change": 0.0}
        drawn = {kind for kind, share in shares.items() if generator.random() < share}
        tracking = generator.random()
        if tracking < self.id_change:
            drawn.add("id_change")
        elif tracking < self.id_change + self.vanish:
            drawn.add("vanish")
        return frozenset(drawn)


@dataclass
class _Body:
    """A track in the making: its joints (T, V, C), and in which frames it is seen (T,)."""

    role: str
    joints: np.ndarray
    seen: np.ndarray


def tracked(
    actors: list[np.ndarray],
    kinds: frozenset[str],
    bystander: Callable[[], np.ndarray],
    generator: np.random.Generator,
) -> list[Track]:
    """What a sensor makes of the actors when it errs in certain ways.

    Args:
        actors: One or two (T, V, C).
        kinds: Kinds of noise, fields of :class:`NoiseShares`.
        bystander: Makes someone in the background, (T, V, C).
        generator: Decides where, when and how much.

    Returns:
        The tracks, in the order in which a frame lists them. A body that is never seen has none.
    """
    roles = ("main", "partner")
    bodies = [
        _Body(role, joints, np.ones(len(joints), dtype=bool))
        for role, joints in zip(roles, actors, strict=False)
    ]
    for kind, change in _CHANGES.items():
        if kind in kinds:
            change(bodies, generator)
    if "bystander" in kinds:
        standing = bystander()
        bodies.append(_Body("bystander", standing, np.ones(len(standing), dtype=bool)))
    if "empty_frames" in kinds:
        _leave_frames_empty(bodies, generator)
    ids = generator.choice(50_000, len(bodies), replace=False)
    order = generator.permutation(len(bodies))
    tracks = [_track(bodies[place], _FIRST_ID + int(ids[place])) for place in order]
    return [track for track in tracks if len(track.frames)]


def _track(body: _Body, number: int) -> Track:
    return Track(str(number), body.role, np.flatnonzero(body.seen), body.joints[body.seen])


def _lose_partner(bodies: list[_Body], generator: np.random.Generator) -> None:
    if len(bodies) < 2:
        return
    frames = len(bodies[1].seen)
    longest = _STRAY_FRAMES if generator.random() < 0.5 else int(0.7 * frames)
    bodies[1].seen &= _stretch(frames, 1 if longest == _STRAY_FRAMES else 15, longest, generator)


def _change_id(bodies: list[_Body], generator: np.random.Generator) -> None:
    main = bodies[0]
    frames = len(main.seen)
    moment = int(generator.integers(int(0.4 * frames), int(0.6 * frames), endpoint=True))
    overlap = int(generator.choice((0, 0, 1, 3)))
    numbers = np.arange(frames)
    bodies.append(_Body("main again", main.joints, numbers >= moment - overlap))
    main.seen &= numbers < moment


def _vanish(bodies: list[_Body], generator: np.random.Generator) -> None:
    main = bodies[0]
    frames = len(main.seen)
    begin = int(generator.integers(int(0.3 * frames), int(0.6 * frames)))
    length = int(generator.integers(*_GAP_FRAMES, endpoint=True))
    numbers = np.arange(frames)
    covered = (numbers >= begin - 1) & (numbers <= begin + length)
    main.seen &= (numbers < begin) | (numbers >= begin + length)
    if not any(body.seen[covered].all() for body in bodies[1:]):
        bodies.append(_stray(main, covered, generator))


def _add_strays(bodies: list[_Body], generator: np.random.Generator) -> None:
    main = bodies[0]
    for _ in range(int(generator.integers(1, 2, endpoint=True))):
        seen = _stretch(len(main.seen), 1, _STRAY_FRAMES, generator)
        bodies.append(_stray(main, seen, generator))


def _add_flat_object(bodies: list[_Body], generator: np.random.Generator) -> None:
    bodies.append(_object("flat", generator.uniform(0.8, 1.0), len(bodies[0].seen), generator))


def _add_partly_flat_object(bodies: list[_Body], generator: np.random.Generator) -> None:
    share = generator.uniform(0.15, 0.6)
    bodies.append(_object("partly flat", share, len(bodies[0].seen), generator))


_CHANGES: dict[str, Callable[[list[_Body], np.random.Generator], None]] = {
    "lost_partner": _lose_partner,
    "id_change": _change_id,
    "vanish": _vanish,
    "stray": _add_strays,
    "flat_object": _add_flat_object,
    "partly_flat_object": _add_partly_flat_object,
}


def _leave_frames_empty(bodies: list[_Body], generator: np.random.Generator) -> None:
    frames = len(bodies[0].seen)
    for _ in range(int(generator.integers(1, 2, endpoint=True))):
        length = int(generator.integers(1, 2, endpoint=True))
        anywhere = int(generator.integers(frames - length))
        begin = int(generator.choice((0, anywhere, frames - length)))
        for body in bodies:
            body.seen[begin : begin + length] = False


def _stray(near: _Body, seen: np.ndarray, generator: np.random.Generator) -> _Body:
    """A ghost beside someone: moved aside and blurred."""
    aside = generator.normal((0.4, 0.0, 0.4), (0.5, 0.1, 0.5))
    blurred = near.joints + aside + generator.normal(0, 0.04, near.joints.shape)
    return _Body("stray", blurred, seen)


def _object(role: str, flat_share: float, frames: int, generator: np.random.Generator) -> _Body:
    """A cloud of joints that stands still; flat in a share of the frames in which it is seen."""
    seen = _stretch(frames, _OBJECT_FRAMES, frames, generator)
    present = np.flatnonzero(seen)
    flat = np.zeros(frames, dtype=bool)
    flat[generator.choice(present, round(flat_share * len(present)), replace=False)] = True
    cloud = generator.uniform(-0.5, 0.5, (_JOINTS, 3))
    cloud[:2] = (-0.5, -0.5, 0.0), (0.5, 0.5, 0.0)  # so that the extents are those wanted
    place = generator.uniform((-1.0, -0.6, 2.5), (1.0, -0.2, 4.0))
    extents = np.where(flat[:, np.newaxis], _FLAT, _UPRIGHT)
    joints = cloud * extents[:, np.newaxis] + place
    return _Body(role, joints + generator.normal(0, 0.003, joints.shape), seen)


def _stretch(
    frames: int, shortest: int, longest: int, generator: np.random.Generator
) -> np.ndarray:
    """(T,) true in a stretch of frames of random length and place."""
    length = int(generator.integers(shortest, longest, endpoint=True))
    begin = int(generator.integers(0, frames - length, endpoint=True))
    numbers = np.arange(frames)
    return (numbers >= begin) & (numbers < begin + length)
