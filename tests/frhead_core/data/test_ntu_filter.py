"""The denoising and centring steps of NTU RGB+D on packed directories."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from frhead_core.config import Preparation, Split
from frhead_core.data.datasets import denoise_skeletons, transform_sequences
from frhead_core.data.ntu_centre import centre
from frhead_core.data.ntu_names import recording
from frhead_core.data.packed import DenoisedSequences, StoreMetadata
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.recordings import Quarantined
from frhead_core.data.registry import find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.data.tracked_bodies import (
    TrackedBody,
    TrackedRecording,
    add_tracked,
    tracked_bodies_writer,
)
from frhead_core.errors import InputError, QuarantineLimitError
from frhead_core.skeletons import skeleton

ANYTHING = Preparation(official_list=False, max_quarantined_share=0.9)
SPINE = skeleton("ntu").center
EARLIER = Quarantined("S001C001P001R001A060", "S001C001P001R001A060.skeleton", "empty file")


def body(number: int, frames: Iterable[int], height: float = 1.6) -> TrackedBody:
    numbers = np.array([*frames], dtype=np.int32)
    generator = np.random.default_rng((number, len(numbers)))
    size = np.array([0.3, height, 0.3])
    points = (generator.uniform(-0.5, 0.5, (len(numbers), 25, 3)) * size + 2).astype(np.float32)
    motion = float(points.reshape(-1, 3).var(axis=0).sum())
    return TrackedBody(str(number), points, int(numbers[0]), numbers, motion)


def recorded(name: str, *bodies: TrackedBody) -> TrackedRecording:
    frames = 1 + max(int(one.frame_numbers[-1]) for one in bodies)
    return TrackedRecording(recording(name), frames, bodies)


RECORDINGS = (
    recorded("S001C001P001R001A001", body(1, range(5))),
    recorded("S001C001P001R001A002", body(1, range(9)), body(2, range(11))),
    recorded("S001C001P001R001A003", body(1, range(3)), body(2, range(20))),
    recorded("S001C001P001R001A050", body(1, range(25)), body(2, range(5, 25), 2.0)),
    recorded("S001C001P001R001A051", body(1, [*range(20), *range(30, 40)]), body(2, range(40))),
)


@pytest.fixture
def tracked(tmp_path: Path) -> Path:
    facts = find_dataset("ntu60")
    metadata = StoreMetadata("tracked bodies", "ntu60", "ntu", "float32", "mark", facts.classes)
    with tracked_bodies_writer(tmp_path / "tracked", metadata, joints=25) as writer:
        writer.quarantined.append(EARLIER)
        for one in RECORDINGS:
            add_tracked(writer, one)
    return tmp_path / "tracked"


def test_the_report_counts_what_the_rules_did(tracked: Path, tmp_path: Path) -> None:
    report = denoise_skeletons("ntu60", tracked, tmp_path / "denoised", ANYTHING)
    assert report == StepReport.read(tmp_path / "denoised")
    assert report.numbers == {
        "recordings": 5,
        "sequences": 4,
        "with one actor": 2,
        "with two actors": 2,
        "bodies removed: too short": 3,
        "bodies removed: too wide": 0,
        "bodies removed: no place": 0,
        "bodies with wide frames": 0,
        "recordings with empty frames": 0,
        "second actor unexpected": 0,
        "second actor lost": 0,
        "empty frames removed": 0,
        "recordings quarantined here": 1,
    }
    reason = "every body is shorter than 12 frames"
    bad = Quarantined("S001C001P001R001A002", "S001C001P001R001A002.skeleton", reason)
    assert report.quarantined == (EARLIER, bad)
    sequences = DenoisedSequences.open(tmp_path / "denoised")
    assert sequences.index["bodies"].tolist() == [1, 1, 2, 2]
    assert sequences.quarantined() == [EARLIER, bad]


def test_the_table_has_a_row_for_everything_that_a_rule_did(tracked: Path, tmp_path: Path) -> None:
    denoise_skeletons("ntu60", tracked, tmp_path / "denoised", ANYTHING)
    with (tmp_path / "denoised" / "filtered.csv").open(newline="") as file:
        rows = [*csv.reader(file)]
    motion = f"{RECORDINGS[2].bodies[0].motion:.6f}"
    assert rows[0] == ["name", "rule", "body", "first", "last", "motion", "value"]
    assert ["S001C001P001R001A003", "too short", "1", "0", "2", motion, "3"] in rows
    assert ["S001C001P001R001A050", "actor 2 absent", "", "0", "4", "", "5"] in rows or [
        "S001C001P001R001A050", "actor 1 absent", "", "0", "4", "", "5",
    ] in rows  # fmt: skip
    assert {row[1] for row in rows if row[0] == "S001C001P001R001A002"} == {"too short"}
    assert "S001C001P001R001A001" not in {row[0] for row in rows}


def test_the_option_decides_where_a_returning_body_is(tracked: Path, tmp_path: Path) -> None:
    corrected = Preparation(
        official_list=False, max_quarantined_share=0.9, compatibility="corrected"
    )
    there = {}
    for name, preparation in (("reference", ANYTHING), ("corrected", corrected)):
        report = denoise_skeletons("ntu60", tracked, tmp_path / name, preparation)
        assert f"Rules: {name}." in report.markdown()
        last = DenoisedSequences.open(tmp_path / name).sequence(3)
        there[name] = sorted(frames.nonzero()[0].tolist() for frames in last.any(axis=(2, 3)))
    assert there["reference"] == [[*range(30)], [*range(40)]]
    assert there["corrected"] == [[*range(20), *range(30, 40)], [*range(40)]] or there[
        "corrected"
    ] == [[*range(40)], [*range(20), *range(30, 40)]]


def test_too_many_unusable_recordings_stop_the_step(tracked: Path, tmp_path: Path) -> None:
    strict = Preparation(official_list=False, max_quarantined_share=0.2)
    with pytest.raises(QuarantineLimitError, match="2 of 6 recordings are unusable"):
        denoise_skeletons("ntu60", tracked, tmp_path / "denoised", strict)
    assert not (tmp_path / "denoised").exists()


def test_rectangular_bodies_are_not_mistaken_for_tracked_ones(
    tracked: Path, tmp_path: Path
) -> None:
    denoise_skeletons("ntu60", tracked, tmp_path / "denoised", ANYTHING)
    with pytest.raises(InputError, match="found denoised sequences; expected tracked bodies"):
        denoise_skeletons("ntu60", tmp_path / "denoised", tmp_path / "again", ANYTHING)


def test_the_store_is_centred_and_knows_the_parts(tracked: Path, tmp_path: Path) -> None:
    denoise_skeletons("ntu60", tracked, tmp_path / "denoised", ANYTHING)
    split = Split(column="camera", train=(1,), test=(2,))
    report = transform_sequences(
        "ntu60", tmp_path / "denoised", tmp_path / "store", {"b": split}, ANYTHING
    )
    store = SequenceStore.open(tmp_path / "store")
    assert store.benchmarks == ("b",)
    assert report.numbers["b train"] == 4
    for number in range(len(store)):
        recording_, sequence = store.recording(number), store.sequence(number)
        before = DenoisedSequences.open(tmp_path / "denoised")
        row = before.index["name"].tolist().index(recording_.name)
        np.testing.assert_array_equal(sequence, centred(before.sequence(row)))


def centred(sequence: np.ndarray) -> np.ndarray:
    return centre(RaggedBatch.of_one("", sequence), SPINE).reshape(sequence.shape)


def test_sequences_of_a_batch_do_not_mix() -> None:
    generator = np.random.default_rng(1)
    shapes = (2, 4), (1, 3), (2, 1), (1, 6)
    sequences = [generator.normal(size=(*shape, 25, 3)).astype(np.float32) for shape in shapes]
    sequences[0][0, :2] = sequences[0][1, 3] = sequences[1][0, 0] = sequences[2][1] = 0
    sequences[3][0, :, 0, 0] = 0  # there, though a number of theirs is zero
    batch = RaggedBatch(
        names=np.array(["a", "b", "c", "d"]),
        rows=np.concatenate([one.reshape(-1, 25, 3) for one in sequences]),
        frames=np.array([4, 3, 1, 6]),
        bodies=np.array([2, 1, 2, 1]),
    )
    expected = np.concatenate([centred(one).reshape(-1, 25, 3) for one in sequences])
    np.testing.assert_array_equal(centre(batch, SPINE), expected)


def test_the_origin_is_the_spine_of_the_first_actors_first_frame() -> None:
    sequence = np.random.default_rng(0).normal(size=(2, 4, 25, 3)).astype(np.float32)
    sequence[0, 0] = sequence[1, 2] = 0
    moved = centred(sequence)
    assert not moved[0, 0].any() and not moved[1, 2].any()  # the absent stay away
    assert not moved[0, 1, 1].any()
    np.testing.assert_array_equal(moved[1, 0], sequence[1, 0] - sequence[0, 1, 1])
    lone = sequence[:1]
    np.testing.assert_array_equal(centred(lone)[0, 0], np.tile(-lone[0, 1, 1], (25, 1)))
