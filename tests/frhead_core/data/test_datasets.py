from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from frhead_core.config import Preparation, Split, load_recipe
from frhead_core.data.datasets import (
    DenoisedSequences,
    RawBodies,
    assign_parts,
    denoise_skeletons,
    extract_raw_skeletons,
    fingerprint,
    transform_sequences,
)
from frhead_core.data.recordings import Quarantined
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError, QuarantineLimitError
from frhead_core.progress import Reporter

TOLERANT = Preparation(official_list=False, max_quarantined_share=0.5)
BY_VIEW = Split(column="camera", train=(1, 2), test=(3,))


class Recorder(Reporter):
    """Remembers what it was told."""

    def __init__(self):
        self.told = []

    def begin(self, task, total, unit, done=0):
        self.told.append((task, total, unit))

    def advance(self, amount=1, **figures):
        self.told.append(amount)

    def end(self):
        self.told.append("end")


def prepare(raw, folder, splits=None, reporter=None):
    reporter = reporter or Reporter()
    extract_raw_skeletons("nw-ucla", raw, folder / "raw", TOLERANT, "mark", reporter=reporter)
    denoise_skeletons("nw-ucla", folder / "raw", folder / "denoised", TOLERANT, reporter=reporter)
    splits = splits or {"nw-ucla": BY_VIEW}
    transform_sequences(
        "nw-ucla", folder / "denoised", folder / "store", splits, TOLERANT, reporter=reporter
    )
    return SequenceStore.open(folder / "store")


@pytest.fixture
def recordings(write_recording):
    for view, frames in ((1, 4), (2, 3), (3, 5)):
        write_recording(f"a09_s01_e00_v0{view}", frames=frames)


@pytest.mark.usefixtures("recordings")
def test_from_files_to_store(raw, tmp_path):
    store = prepare(raw, tmp_path)
    assert store.metadata.dataset == store.metadata.skeleton == "nw-ucla"
    assert store.metadata.dtype == store.coordinates.dtype == "float64"
    assert store.metadata.data_fingerprint == "mark"
    assert store.metadata.classes[7] == "doffing"
    assert store.index["label"].tolist() == [7, 7, 7]
    assert store.index["frames"].tolist() == [4, 3, 5]
    assert store.index["part:nw-ucla"].tolist() == ["train", "train", "test"]
    for row, view in enumerate((1, 2, 3)):
        file = json.loads((raw / f"a09_s01_e00_v0{view}.json").read_text())
        recorded = np.array(file["skeletons"])
        np.testing.assert_array_equal(store.sequence(row)[0], recorded - recorded[0, 1])


@pytest.mark.usefixtures("recordings")
def test_a_store_serves_several_benchmarks(raw, tmp_path):
    other = Split(column="camera", train=(3,), test=(1, 2))
    store = prepare(raw, tmp_path, {"nw-ucla": BY_VIEW, "backwards": other})
    assert store.benchmarks == ("nw-ucla", "backwards")
    assert store.rows("backwards", "train").tolist() == store.rows("nw-ucla", "test").tolist()


@pytest.mark.usefixtures("recordings")
def test_denoising_passes_through_and_says_so(raw, tmp_path):
    prepare(raw, tmp_path)
    before = RawBodies.open(tmp_path / "raw")
    after = DenoisedSequences.open(tmp_path / "denoised")
    np.testing.assert_array_equal(before.coordinates, after.coordinates)
    report = StepReport.read(tmp_path / "denoised")
    assert report.numbers == {"sequences": 3, "sequences changed": 0}
    assert "Passed through unchanged" in (tmp_path / "denoised" / "report.md").read_text()


@pytest.mark.usefixtures("recordings")
def test_bad_recordings_are_listed_in_every_step(raw, write_recording, tmp_path):
    write_recording("a01_s01_e00_v01", skeletons=[])
    bad = Quarantined("a01_s01_e00_v01", "a01_s01_e00_v01.json", "empty sequence: no frames")
    store = prepare(raw, tmp_path)
    assert len(store) == 3
    for step in ("raw", "denoised", "store"):
        assert StepReport.read(tmp_path / step).quarantined == (bad,)
        assert bad.reason in (tmp_path / step / "report.md").read_text()
        with (tmp_path / step / "quarantine.csv").open() as file:
            assert [*csv.reader(file)] == [
                ["name", "file", "reason"],
                [bad.name, bad.file, bad.reason],
            ]
    assert StepReport.read(tmp_path / "raw").numbers == {
        "recordings found": 4,
        "recordings kept": 3,
        "recordings quarantined": 1,
        "body frames": 12,
    }


@pytest.mark.usefixtures("recordings")
def test_too_many_bad_recordings_stop_the_step(raw, write_recording, tmp_path):
    write_recording("a07_s01_e00_v01")
    strict = Preparation(official_list=False, max_quarantined_share=0.2)
    with pytest.raises(QuarantineLimitError) as caught:
        extract_raw_skeletons("nw-ucla", raw, tmp_path / "out", strict, "mark")
    assert str(caught.value) == (
        f"{raw}: 1 of 4 recordings are unusable, more than preparation.max_quarantined_share "
        "allows; found a07_s01_e00_v01 (unknown action number 7, expected one of 1, 2, 3, 4, 5, "
        "6, 8, 9, 11, 12); expected at most 0. Download the data again, or raise "
        "preparation.max_quarantined_share"
    )
    assert not (tmp_path / "out").exists()
    extract_raw_skeletons(
        "nw-ucla",
        raw,
        tmp_path / "out",
        Preparation(official_list=False, max_quarantined_share=0.25),
        "mark",
    )
    assert len(RawBodies.open(tmp_path / "out")) == 3


def test_nothing_usable_is_an_error_whatever_is_tolerated(raw, write_recording, tmp_path):
    write_recording("a07_s01_e00_v01")
    everything = Preparation(official_list=False, max_quarantined_share=1.0)
    with pytest.raises(InputError, match="none of the 1 recordings is usable"):
        extract_raw_skeletons("nw-ucla", raw, tmp_path / "out", everything, "mark")


@pytest.mark.usefixtures("recordings")
def test_the_official_list_is_required_by_default(raw, tmp_path):
    with pytest.raises(InputError, match="recordings of the benchmark are missing"):
        extract_raw_skeletons("nw-ucla", raw, tmp_path / "out", Preparation(), "mark")


@pytest.mark.usefixtures("recordings")
def test_progress_is_told(raw, tmp_path):
    recorder = Recorder()
    prepare(raw, tmp_path, reporter=recorder)
    told = [("reading recordings", 3, "recordings"), 1, 1, 1, "end"]
    for task in ("denoising", "centring"):
        told += [(task, 3, "sequences"), 3, "end"]
    assert recorder.told == told


@pytest.mark.usefixtures("recordings")
def test_a_recording_outside_the_split_is_named(raw, write_recording, tmp_path):
    write_recording("a09_s01_e00_v07")
    with pytest.raises(InputError) as caught:
        prepare(raw, tmp_path)
    assert str(caught.value) == (
        "a09_s01_e00_v07: the recording is in no part of the split; found camera 7; expected one "
        "of [1, 2, 3]. Correct split.train and split.test of the recipe"
    )


def test_parts_follow_the_column(synthetic_store):
    index = SequenceStore.open(synthetic_store).index
    split = Split(column="performer", train=(2,), test=(1,))
    parts = assign_parts(index, split)
    assert parts == ["test" if who == 1 else "train" for who in index["performer"]]


def test_a_dataset_that_cannot_be_read(tmp_path):
    name, message = (
        "kinetics",
        "unknown dataset; found kinetics; expected ntu120 or ntu60 or nw-ucla or own",
    )
    for step in (
        lambda: fingerprint(name, tmp_path),
        lambda: extract_raw_skeletons(name, tmp_path, tmp_path / "o", TOLERANT, "mark"),
        lambda: denoise_skeletons(name, tmp_path, tmp_path / "o", TOLERANT),
        lambda: transform_sequences(name, tmp_path, tmp_path / "o", {}, TOLERANT),
    ):
        with pytest.raises(InputError, match=message):
            step()


@pytest.mark.usefixtures("recordings")
def test_steps_refuse_what_another_step_made(raw, tmp_path):
    prepare(raw, tmp_path)
    with pytest.raises(InputError, match="found raw bodies; expected denoised sequences"):
        transform_sequences("nw-ucla", tmp_path / "raw", tmp_path / "o", {}, TOLERANT)
    path = tmp_path / "raw" / "metadata.json"
    path.write_text(path.read_text().replace('"dataset": "nw-ucla"', '"dataset": "ntu60"'))
    with pytest.raises(InputError, match="holds another dataset; found ntu60; expected nw-ucla"):
        denoise_skeletons("nw-ucla", tmp_path / "raw", tmp_path / "o", TOLERANT)


def test_the_demo_dataset(synthetic_store, synthetic_zip):
    store = SequenceStore.open(synthetic_store)
    assert store.metadata.data_fingerprint == fingerprint("nw-ucla", synthetic_zip)
    assert len(store.rows("demo-nw-ucla", "train")) == 40
    assert len(store.rows("demo-nw-ucla", "test")) == 20
    assert load_recipe("demo-nw-ucla").skeleton == store.metadata.skeleton


def test_a_report_keeps_its_table_whole():
    bad = Quarantined("a|b", "a|b.json", "two\nlines")
    report = StepReport("Step", "nw-ucla", {"recordings": 1200}, quarantined=(bad,))
    assert report.markdown() == (
        "# Step: nw-ucla\n\n| | |\n| --- | ---: |\n| recordings | 1,200 |\n\n"
        "| left out | file | reason |\n| --- | --- | --- |\n"
        "| a\\|b | a\\|b.json | two lines |\n"
    )


def test_progress_ends_also_when_the_step_fails(raw, write_recording, tmp_path):
    write_recording("a07_s01_e00_v01")
    recorder = Recorder()
    with pytest.raises(QuarantineLimitError):
        strict = Preparation(official_list=False)
        extract_raw_skeletons("nw-ucla", raw, tmp_path / "o", strict, "mark", reporter=recorder)
    assert recorder.told == [("reading recordings", 1, "recordings"), "end"]


def test_a_spoilt_report_is_named(tmp_path):
    with pytest.raises(InputError, match=r"report\.json: is not the report of a step"):
        StepReport.read(tmp_path)
