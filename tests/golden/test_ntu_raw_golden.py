"""Raw files against the reference's first stage, and the files on which the reference stops."""

from __future__ import annotations

import json

import numpy as np
import pytest

from frhead_core.config import Preparation
from frhead_core.data.datasets import extract_raw_skeletons
from frhead_core.data.tracked_bodies import TrackedBodies
from tests.golden.files import GOLDEN

FOLDER = GOLDEN / "ntu_raw"
EVERYTHING = Preparation(official_list=False, max_quarantined_share=1.0)

pytestmark = pytest.mark.golden


def cases():
    return [name for name in ("ntu60", "ntu120") if (FOLDER / name).is_dir()]


@pytest.fixture(scope="module", params=cases())
def dataset(request):
    return request.param


@pytest.fixture(scope="module")
def tracked(dataset, tmp_path_factory):
    output = tmp_path_factory.mktemp(dataset) / "raw_bodies"
    raw = FOLDER / dataset / "raw.zip"
    extract_raw_skeletons(dataset, raw, output, EVERYTHING, "mark")
    return TrackedBodies.open(output)


@pytest.fixture(scope="module")
def reference(dataset):
    return json.loads((FOLDER / dataset / "stage1.json").read_text())


def test_recordings_and_frames(tracked, reference):
    frames = dict(zip(tracked.index["name"], tracked.index["frames"], strict=True))
    assert frames == {name: facts["num_frames"] for name, facts in sorted(reference.items())}
    assert list(frames) == sorted(frames)
    assert tracked.quarantined() == []


def test_ids_intervals_and_motions(tracked, reference):
    for row in range(len(tracked)):
        expected = reference[tracked.recording(row).name]["bodies"]
        for found, body in zip(tracked.tracked(row).bodies, expected, strict=True):
            assert found.id == body["id"]
            last = found.start + len(found.coordinates) - 1
            assert [found.start, last] == body["interval"]
            assert (found.motion is None) == (body["motion"] is None)
            if found.motion is not None:
                assert found.motion == pytest.approx(body["motion"], rel=1e-5)


def test_coordinates_exactly(dataset, tracked):
    with np.load(FOLDER / dataset / "stage1_joints.npz") as joints:
        seen = set()
        for row in range(len(tracked)):
            for number, body in enumerate(tracked.tracked(row).bodies):
                key = f"{tracked.recording(row).name}.{number}"
                np.testing.assert_array_equal(body.coordinates, joints[key])
                seen.add(key)
        assert seen == set(joints.files)


def test_true_frame_numbers(dataset, tracked):
    """Ascending, and with a gap only in recordings where someone goes and comes back."""
    noise = FOLDER / dataset / "noise.json"
    if not noise.is_file():
        pytest.skip("no account of the noise in this folder")
    shifted = set()
    for row in range(len(tracked)):
        for body in tracked.tracked(row).bodies:
            numbers = body.frame_numbers
            assert (np.diff(numbers) > 0).all()
            if numbers[-1] - numbers[0] != len(numbers) - 1:
                shifted.add(tracked.recording(row).name)
    runs = json.loads(noise.read_text())
    returning = {name for name, facts in runs.items() if "reappear" in facts["scenario"]}
    assert shifted == returning


REASONS = {
    "no_body_at_all": "none of the 15 frames has a body",
    "no_frames": "none of the 0 frames has a body",
    "empty_file": "empty file",
    "cut_between_lines": "line 71: the file ends, expected the 12 fields of a joint in frame 3",
    "cut_within_line": "line 71: found 4 fields, ",
    "not_a_number": "line 9: x is '-1.#IND', expected a finite number",
    "short_joint_line": "line 9: found 4 fields, ",
    "too_many_joints": "line 4: found '26', expected 25, the number of joints in frame 1",
    "blank_line": "line 2: found an empty line, expected the number of bodies in frame 1",
    "wrong_body_count": "line 30: found 1 fields, '1', expected the 10 fields of a body in frame 1",
}
LEFT_TO_LATER_STEPS = {"all_ids_short", "all_ids_short_together", "all_zero_joints"}
ACCEPTED = {"same_id_twice", "byte_order_mark"}


def test_files_on_which_the_reference_stops(tmp_path):
    folder = FOLDER / "crash_reference"
    known = json.loads((folder / "crashes.json").read_text())
    case_of = {name.removesuffix(".skeleton"): facts["case"] for name, facts in known.items()}
    extract_raw_skeletons("ntu60", folder, tmp_path / "out", EVERYTHING, "mark")
    tracked = TrackedBodies.open(tmp_path / "out")
    kept = {case_of[name] for name in tracked.index["name"]}
    assert kept == LEFT_TO_LATER_STEPS | ACCEPTED
    reasons = {case_of[bad.name]: bad.reason for bad in tracked.quarantined()}
    assert reasons.keys() == REASONS.keys()
    for case, reason in reasons.items():
        assert reason.startswith(REASONS[case])


def test_an_id_twice_in_a_frame_counts_once_and_is_reported(tmp_path):
    folder = FOLDER / "crash_reference"
    report = extract_raw_skeletons("ntu60", folder, tmp_path / "out", EVERYTHING, "mark")
    assert report.numbers["repeated bodies left out"] == 1
    assert (tmp_path / "out" / "repeated.csv").read_text() == (
        "recording,body,frame\nS001C003P008R001A010,72057594037970252,4\n"
    )
