"""InterruptedStepError preparation goes on where it stopped and ends in the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from frhead_core.data import packed_writer
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.errors import InputError
from frhead_core.progress import Reporter

ITEMS = 100


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch):
    monkeypatch.setattr(packed_writer, "_STRETCH", 10)


class InterruptedStepError(Exception):
    pass


def write(output, progress, *, stop_after=None, settings="", dtype="float32", reporter=None):
    """A step of 100 items with everything that grows; returns where it began."""
    metadata = StoreMetadata("denoised sequences", "ntu60", "ntu", dtype, "mark", ("a",))
    with PackedWriter(
        output,
        metadata,
        joints=4,
        tables={"t.csv": ("name", "é")},
        row_arrays={"numbers.npy": np.int32},
        progress_directory=progress,
        settings=settings,
        reporter=reporter or Reporter(),
    ) as writer:
        began = writer.done
        writer.start_with([Quarantined("before", "before.skeleton", "said before")])
        for item in range(began, ITEMS):
            if item == stop_after:
                raise InterruptedStepError
            if item % 7 == 0:
                writer.quarantined.append(Quarantined(f"q{item}", "f", 'a "reason", é\nor two'))
            else:
                rows = np.full((item % 5 + 1, 4, 3), item)
                who = Recording(f"r{item:03}", 1, 1, 1, 1, 1, 0)
                writer.add_rows(who, len(rows), 1, rows, numbers=np.arange(len(rows)))
                writer.add_to_table("t.csv", (who.name, "é"), (who.name, item))
                writer.counts["rows of the table"] += 2
            writer.items_done()
        writer.add_column("c", ["x"] * writer.sequences)
        assert writer.counts["rows of the table"] == 170
    return began


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def undisturbed(tmp_path):
    write(tmp_path / "undisturbed", None)
    return contents(tmp_path / "undisturbed")


@pytest.mark.parametrize("stops", [(0,), (9,), (10,), (55, 55, 57), (10, 25, 99), (5, 6, 7, 100)])
def test_an_interrupted_step_goes_on(tmp_path, undisturbed, stops):
    began = []
    for stop in stops:
        if stop < ITEMS:
            with pytest.raises(InterruptedStepError):
                write(tmp_path / "out", tmp_path / "progress", stop_after=stop)
            began.append(stop // 10 * 10)
    assert write(tmp_path / "out", tmp_path / "progress") == (began[-1] if began else 0)
    assert contents(tmp_path / "out") == undisturbed
    assert sorted(path.name for path in (tmp_path / "progress").iterdir()) == ["lock"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "progress", "undisturbed"]


def interrupted(tmp_path):
    with pytest.raises(InterruptedStepError):
        write(tmp_path / "out", tmp_path / "progress", stop_after=55)
    return tmp_path / "progress"


def test_progress_made_with_other_settings_is_thrown_away(tmp_path, undisturbed):
    interrupted(tmp_path)
    assert write(tmp_path / "out", tmp_path / "progress", settings="other") == 0
    assert contents(tmp_path / "out") == undisturbed


def test_progress_with_other_data_is_thrown_away(tmp_path):
    interrupted(tmp_path)
    assert write(tmp_path / "out", tmp_path / "progress", dtype="float64") == 0


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_line_of_the_journal_that_was_not_finished_does_not_count(tmp_path, undisturbed, cut):
    journal = interrupted(tmp_path) / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert write(tmp_path / "out", tmp_path / "progress") == 40
    assert contents(tmp_path / "out") == undisturbed


def test_a_file_shorter_than_the_journal_says_takes_back_its_last_lines(tmp_path, undisturbed):
    file = interrupted(tmp_path) / "files" / "coordinates.npy"
    os.truncate(file, file.stat().st_size - 2000)
    assert write(tmp_path / "out", tmp_path / "progress") < 50
    assert contents(tmp_path / "out") == undisturbed


def test_without_its_files_a_journal_means_nothing(tmp_path, undisturbed):
    shutil.rmtree(interrupted(tmp_path) / "files")
    assert write(tmp_path / "out", tmp_path / "progress") == 0
    assert contents(tmp_path / "out") == undisturbed


def test_an_older_result_is_replaced_at_the_end_only(tmp_path, undisturbed):
    write(tmp_path / "out", tmp_path / "progress")
    before = contents(tmp_path / "out")
    interrupted(tmp_path)
    assert contents(tmp_path / "out") == before
    assert write(tmp_path / "out", tmp_path / "progress") == 50
    assert contents(tmp_path / "out") == undisturbed


def test_the_result_may_be_on_another_file_system(tmp_path, undisturbed):
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    progress = shared_memory / f"frhead-{os.getpid()}"
    try:
        with pytest.raises(InterruptedStepError):
            write(tmp_path / "out", progress, stop_after=55)
        assert write(tmp_path / "out", progress) == 50
        assert write(tmp_path / "out", progress) == 0
        assert contents(tmp_path / "out") == undisturbed
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "undisturbed"]
    finally:
        shutil.rmtree(progress, ignore_errors=True)


def test_a_foreign_output_is_refused_before_any_work(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("do not lose me")
    with pytest.raises(InputError, match="exists and is not a directory that this step made"):
        write(tmp_path / "out", tmp_path / "progress")


BODY = "25\n" + "0.1 0.2 0.3 0 0 0 0 0 0 0 0 2\n" * 25
OTHER = BODY.replace("0.2", "0.7")


def recording(number):
    """Of a few frames; every fifth has two bodies, one of them twice, every ninth is cut."""
    frame = f"1\n7 0 0 0 0 0 0 0 0 2\n{BODY}"
    pair = f"3\n7 0 0 0 0 0 0 0 0 2\n{BODY}8 0 0 0 0 0 0 0 0 2\n{OTHER}8 0 0 0 0 0 0 0 0 2\n{BODY}"
    text = "13\n" + (pair * 13 if number % 5 == 0 else frame * 13)
    return text[:-50] if number % 9 == 0 else text


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_steps_end_in_the_same_bytes(tmp_path, seed):
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(180):
        name = f"S001C001P{number % 2 + 1:03}R{number // 60 + 1:03}A{number % 60 + 1:03}"
        (raw / f"{name}.skeleton").write_text(recording(number))
    script = Path(__file__).with_name("killed_steps.py")
    done = subprocess.run(
        [sys.executable, str(script), str(raw), str(tmp_path), str(seed)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for step in ("raw", "denoised", "store"):
        assert contents(tmp_path / "killed" / step) == contents(tmp_path / "undisturbed" / step)
    assert sum(facts["kills"] for facts in told.values()) >= 3
    assert any(begin > 0 for facts in told.values() for begin in facts["went on from"])
