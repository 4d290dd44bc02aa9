"""The rules against a slow literal transcription of their description, and case by case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frhead_core.data.ntu_denoise import Denoised, denoise, motion_of, wide_frames
from frhead_core.data.ntu_names import recording
from frhead_core.data.tracked_bodies import TrackedBody, TrackedRecording

NAME = "S001C001P001R001A010"


# --- the description, sentence by sentence, with plain loops -------------------------------------


def literally(  # noqa: PLR0912, PLR0915 - in one piece, as the description is
    tracked: TrackedRecording,
) -> tuple[np.ndarray | None, dict[str, list[str]]]:
    """(T, 75 or 150) or None, and the ids by what became of them."""
    became: dict[str, list[str]] = {
        rule: [] for rule in ("too short", "too wide", "actor 1", "actor 2", "no place")
    }
    ids = [body.id for body in tracked.bodies]
    body_of = {body.id: body for body in tracked.bodies}
    interval = {
        body.id: (body.start, body.start + len(body.coordinates) - 1) for body in tracked.bodies
    }
    # 1. One id in the file: no filtering, frames are not removed.
    if len(ids) == 1:
        array = np.zeros((tracked.frames, 75), dtype=np.float32)
        fill(array, 0, body_of[ids[0]], interval[ids[0]])
        return array, became
    # 2. Length: drop every id with n <= 11.
    for one in list(ids):
        if len(body_of[one].coordinates) <= 11:
            ids.remove(one)
            became["too short"].append(one)
    if not ids:
        return None, became
    # 3. and 4. Spread, in order of first appearance; stop as soon as one id is left.
    motion = {one: body_of[one].motion for one in ids}
    if len(ids) > 1:
        for one in list(ids):
            if len(ids) == 1:
                break
            good = []
            for frame in body_of[one].coordinates:
                x, y = frame[:, 0], frame[:, 1]
                if x.max() - x.min() <= np.float32(0.8) * (y.max() - y.min()):
                    good.append(frame)
            count = len(body_of[one].coordinates)
            ratio = (count - len(good)) / count
            if ratio == 0:
                continue
            if ratio >= 0.69754:
                ids.remove(one)
                became["too wide"].append(one)
            else:
                again = float(np.concatenate(good).var(axis=0).sum())
                motion[one] = min(motion[one] or 0.0, again)
    # 5. Sort by motion, largest first, ties in order of first appearance.
    ids = sorted(ids, key=lambda one: motion[one] or 0.0, reverse=True)
    # 6. One left: as in 1. Several left: two actors.
    if len(ids) == 1:
        array = np.zeros((tracked.frames, 75), dtype=np.float32)
        fill(array, 0, body_of[ids[0]], interval[ids[0]])
    else:
        array = np.zeros((tracked.frames, 150), dtype=np.float32)
        first, *others = ids
        fill(array, 0, body_of[first], interval[first])
        became["actor 1"].append(first)
        hull_1, hull_2 = interval[first], (0, 0)
        for one in others:
            start, end = interval[one]
            if min(hull_1[1], end) - max(hull_1[0], start) <= 0:
                fill(array, 0, body_of[one], interval[one])
                hull_1 = (min(hull_1[0], start), max(hull_1[1], end))
                became["actor 1"].append(one)
            elif min(hull_2[1], end) - max(hull_2[0], start) <= 0:
                fill(array, 75, body_of[one], interval[one])
                hull_2 = (min(hull_2[0], start), max(hull_2[1], end))
                became["actor 2"].append(one)
            else:
                became["no place"].append(one)
    # 7. Missing frames: delete the rows in which nothing is there.
    return np.array([row for row in array if np.any(row != 0)], dtype=np.float32), became


def fill(array: np.ndarray, column: int, body: TrackedBody, interval: tuple[int, int]) -> None:
    for row, frame in zip(range(interval[0], interval[1] + 1), body.coordinates, strict=True):
        array[row, column : column + 75] = frame.reshape(75)


# --- recordings to try them on -------------------------------------------------------------------


def body_of(
    number: int,
    frames: list[int],
    *,
    wide: int = 0,
    scale: float = 1.0,
    seed: int = 0,
) -> TrackedBody:
    """A body in some valid frames, the first ``wide`` of which are wider than a person."""
    generator = np.random.default_rng((number, len(frames), seed))
    shape = (len(frames), 25)
    coordinates = np.empty((*shape, 3), dtype=np.float32)
    coordinates[..., 0] = generator.uniform(-0.2, 0.2, shape)
    coordinates[..., 1] = generator.uniform(-0.8, 0.8, shape)
    coordinates[..., 2] = generator.uniform(2, 3, shape) * scale
    coordinates[:wide, :, 1] *= np.float32(0.05)
    numbers = np.array(frames, dtype=np.int32)
    return TrackedBody(str(number), coordinates, frames[0], numbers, motion_of(coordinates))


def recorded(bodies: list[TrackedBody], frames: int | None = None) -> TrackedRecording:
    bodies = sorted(bodies, key=lambda body: body.start)
    last = max(int(body.frame_numbers[-1]) for body in bodies)
    return TrackedRecording(recording(NAME), frames or last + 1, tuple(bodies))


@st.composite
def recordings(draw: st.DrawFn) -> TrackedRecording:
    """One to five bodies, of which one at least is there in every frame."""
    length = draw(st.integers(1, 45))
    count = draw(st.integers(1, 5)) if length > 1 else 1
    there = np.zeros((count, length), dtype=bool)
    for one in range(count):
        start = draw(st.integers(0, length - 1))
        there[one, start : draw(st.integers(start, length - 1)) + 1] = True
        if draw(st.booleans()):  # it goes away and comes back
            gap = draw(st.integers(0, length - 1))
            there[one, gap : gap + draw(st.integers(0, 6))] = False
    there[draw(st.integers(0, count - 1)), ~there.any(axis=0)] = True
    bodies = []
    for one, frames in enumerate(np.flatnonzero(row).tolist() for row in there):
        if frames:
            wide = draw(st.integers(0, len(frames)))
            bodies.append(body_of(one, frames, wide=wide, scale=draw(st.sampled_from([1, 2, 3]))))
    return recorded(bodies, length)


def flat(found: Denoised) -> np.ndarray | None:
    if found.sequence is None:
        return None
    return found.sequence.swapaxes(0, 1).reshape(found.sequence.shape[1], -1)


def ids(found: Denoised, rule: str) -> list[str]:
    return [row.body for row in found.filtered if row.rule == rule]


@settings(max_examples=300, deadline=None)
@given(recordings())
def test_the_rules_are_those_of_the_description(tracked: TrackedRecording) -> None:
    found = denoise(tracked)
    expected, became = literally(tracked)
    for rule, expected_ids in became.items():
        assert ids(found, rule) == expected_ids
    if expected is None:
        assert found.sequence is None and found.reason == "every body is shorter than 12 frames"
    else:
        np.testing.assert_array_equal(flat(found), expected, strict=True)


@settings(max_examples=200, deadline=None)
@given(recordings(), st.sampled_from(["reference", "corrected"]))
def test_what_holds_of_every_result(tracked: TrackedRecording, compatibility: Any) -> None:
    found = denoise(tracked, compatibility)
    again = denoise(tracked, compatibility)
    assert found.filtered == again.filtered
    if found.sequence is None:
        assert found.reason
        return
    persons, frames = found.sequence.shape[:2]
    assert found.sequence.dtype == np.float32
    assert persons in (1, 2) and 1 <= frames <= tracked.frames
    originals = {frame.tobytes() for body in tracked.bodies for frame in body.coordinates}
    for frame in found.sequence.reshape(-1, 25, 3):
        assert not frame.any() or frame.tobytes() in originals
    if len(tracked.bodies) > 1:
        assert found.sequence.any(axis=(0, 2, 3)).all()


# --- case by case --------------------------------------------------------------------------------


def test_a_lone_body_is_taken_as_it_is_however_short_or_wide() -> None:
    body = body_of(1, [0, 1, 2], wide=3)
    found = denoise(recorded([body]))
    np.testing.assert_array_equal(found.sequence, body.coordinates[np.newaxis])
    assert found.filtered == ()


def test_eleven_frames_are_too_short_and_twelve_are_not() -> None:
    whole = body_of(1, [*range(40)], scale=2)
    for frames, left in ((11, 1), (12, 2)):
        found = denoise(recorded([whole, body_of(2, [*range(frames)])]))
        assert found.sequence is not None and len(found.sequence) == left


def test_seventy_percent_of_wide_frames_remove_a_body() -> None:
    whole = body_of(1, [*range(1000)], scale=2)
    for wide, rule in ((698, "too wide"), (697, "wide frames")):
        object_like = body_of(2, [*range(1000)], wide=wide)
        assert ids(denoise(recorded([object_like, whole])), rule) == ["2"]


def test_exactly_at_the_limit_a_frame_is_narrow() -> None:
    frame = np.zeros((1, 25, 3), dtype=np.float32)
    frame[0, 1] = [np.float32(0.8), 1, 0]
    assert not wide_frames(frame).any()
    frame[0, 1, 0] = np.nextafter(np.float32(0.8), np.float32(1))
    assert wide_frames(frame).all()


def test_one_shared_frame_is_no_overlap_and_the_later_body_has_it() -> None:
    still, lively = body_of(1, [*range(21)]), body_of(2, [*range(20, 40)], scale=3)
    found = denoise(recorded([still, lively]))
    assert ids(found, "actor 1") == ["2", "1"]
    assert found.sequence is not None and not found.sequence[1].any()
    np.testing.assert_array_equal(found.sequence[0, 20], still.coordinates[20])


def early_bystander() -> TrackedRecording:
    """Somebody who was there before the second actor came."""
    return recorded(
        [
            body_of(1, [*range(60)], scale=3),
            body_of(2, [*range(40, 60)], scale=2),
            body_of(3, [*range(15)]),
        ]
    )


def test_what_comes_before_the_second_actor_has_a_place_only_when_corrected() -> None:
    assert ids(denoise(early_bystander()), "no place") == ["3"]
    assert ids(denoise(early_bystander(), "corrected"), "actor 2") == ["2", "3"]


def test_a_body_that_comes_back_keeps_its_time_only_when_corrected() -> None:
    away = body_of(1, [*range(10), *range(20, 30)])
    other = body_of(2, [*range(30)], scale=2)
    moved = denoise(recorded([away, other])).sequence
    kept = denoise(recorded([away, other]), "corrected").sequence
    assert moved is not None and kept is not None
    np.testing.assert_array_equal(moved[1, :20], away.coordinates)
    assert not moved[1, 20:].any()
    np.testing.assert_array_equal(kept[1, 20:], away.coordinates[10:])
    assert not kept[1, 10:20].any()


def test_frames_that_only_a_removed_body_had_go_with_it() -> None:
    found = denoise(recorded([body_of(1, [*range(5)]), body_of(2, [*range(5, 30)])]))
    assert found.sequence is not None and found.sequence.shape[1] == 25
    (row,) = (row for row in found.filtered if row.rule == "empty frames")
    assert row.value == 5


def test_a_frame_whose_values_cancel_out_is_not_empty() -> None:
    body = body_of(1, [*range(20)])
    body.coordinates[7] = 0
    body.coordinates[7, 0] = [1, -1, 0]
    found = denoise(recorded([body, body_of(2, [*range(3)])]))
    assert found.sequence is not None and found.sequence.shape[1] == 20


def test_nothing_tracked_is_said() -> None:
    body = body_of(1, [*range(20)])
    body.coordinates[:] = 0
    assert denoise(recorded([body])).reason == "no joint was tracked"
    short = [body_of(1, [*range(9)]), body_of(2, [*range(11)])]
    assert denoise(recorded(short)).reason == "every body is shorter than 12 frames"


@pytest.mark.parametrize(
    ("action", "bodies", "rules"),
    [
        (10, 1, []),
        (10, 2, ["second actor unexpected"]),
        (50, 1, ["second actor lost"]),
        (60, 2, []),
        (61, 2, ["second actor unexpected"]),
        (106, 1, ["second actor lost"]),
        (120, 2, []),
    ],
)
def test_the_number_of_actors_is_compared_with_the_action(
    action: int, bodies: int, rules: list[str]
) -> None:
    name = f"S020C001P001R001A{action:03d}"
    shown = [body_of(number, [*range(20)], scale=number + 1) for number in range(bodies)]
    tracked = TrackedRecording(recording(name), 20, (*shown, body_of(9, [*range(5)])))
    found = [row.rule for row in denoise(tracked).filtered]
    assert [rule for rule in found if rule.startswith("second actor")] == rules
