from __future__ import annotations

import numpy as np
import pytest

from frhead_core.data.packed import StoreMetadata
from frhead_core.data.recordings import Recording
from frhead_core.data.tracked_bodies import (
    TrackedBodies,
    TrackedBody,
    TrackedRecording,
    add_tracked,
    tracked_bodies_writer,
)
from frhead_core.errors import InputError


def body(name, numbers, motion=None):
    generator = np.random.default_rng(len(numbers))
    coordinates = generator.normal(size=(len(numbers), 25, 3)).astype(np.float32)
    return TrackedBody(name, coordinates, numbers[0], np.array(numbers, np.int32), motion)


RECORDINGS = [
    TrackedRecording(Recording("r1", 1, 1, 1, 1, 1, 0), 4, (body("72057594037935543", range(4)),)),
    TrackedRecording(
        Recording("r2", 1, 2, 1, 1, 1, 0),
        9,
        (
            body("007", [0, 1, 5, 6, 7], float(np.float32(0.1))),
            body("NA", [2], 1.5e-10),
            body('odd,"id"', [2, 8], float(np.float32(1 / 3))),
        ),
    ),
]


@pytest.fixture
def written(tmp_path):
    metadata = StoreMetadata("tracked bodies", "ntu60", "ntu", "float32", "mark", ("a",))
    with tracked_bodies_writer(tmp_path / "out", metadata, joints=25) as writer:
        for recording in RECORDINGS:
            add_tracked(writer, recording)
    return tmp_path / "out"


def test_what_is_written_is_read(written):
    tracked = TrackedBodies.open(written)
    assert len(tracked) == 2
    for row, expected in enumerate(RECORDINGS):
        found = tracked.tracked(row)
        assert (found.recording, found.frames) == (expected.recording, expected.frames)
        for one, other in zip(found.bodies, expected.bodies, strict=True):
            assert (one.id, one.start) == (other.id, other.start)
            assert one.motion == (None if other.motion is None else np.float32(other.motion))
            np.testing.assert_array_equal(one.coordinates, other.coordinates)
            np.testing.assert_array_equal(one.frame_numbers, other.frame_numbers)
            assert (one.coordinates.dtype, one.frame_numbers.dtype) == (np.float32, np.int32)


def test_several_recordings_at_once(written):
    tracked = TrackedBodies.open(written)
    found = tracked.tracked_in(range(2))
    assert [one.recording for one in found] == [one.recording for one in RECORDINGS]
    for row, recording in enumerate(found):
        alone = tracked.tracked(row)
        assert recording.frames == alone.frames
        for one, other in zip(recording.bodies, alone.bodies, strict=True):
            assert (one.id, one.start, one.motion) == (other.id, other.start, other.motion)
            np.testing.assert_array_equal(one.coordinates, other.coordinates)
            np.testing.assert_array_equal(one.frame_numbers, other.frame_numbers)


def test_it_is_not_taken_for_rectangular_sequences(written):
    with pytest.raises(TypeError, match="use tracked"):
        TrackedBodies.open(written).sequence(0)


@pytest.mark.parametrize("file", ["bodies.csv", "frame_numbers.npy", "index.csv"])
def test_a_cut_file_is_noticed(written, file):
    path = written / file
    content = path.read_bytes()
    path.write_bytes(content[:-32])
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        TrackedBodies.open(written)


def test_bodies_of_other_recordings_are_noticed(written):
    path = written / "bodies.csv"
    path.write_text(path.read_text().replace("r1,", "r3,"))
    with pytest.raises(InputError, match=r"bodies\.csv: is damaged: it does not fit the index"):
        TrackedBodies.open(written)
