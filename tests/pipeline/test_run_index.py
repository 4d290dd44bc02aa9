"""The records of runs, read once, against what happens to them on the disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import lifeline
from frhead_core.errors import FRHeadError, InputError
from pipeline import run_index, run_records
from pipeline.local_runs import LocalRuns
from pipeline.run_engine import Accuracy
from pipeline.run_folder import RECORD, RunFolder
from pipeline.run_index import RunIndex
from pipeline.run_records import read_record

FACTS = {
    "benchmark": "demo",
    "started_by": "somebody",
    "started": "2026-01-02T03:04:05+0000",
    "raw": "/data/raw.zip",
    "modalities": ["joint", "bone_motion"],
    "recipe": json.dumps({"model": {"backbone": "stgcn"}}),
    "status": "done",
    "seconds": 60.0,
    "accuracies": {"joint": {"last": 80.5, "best": 81, "best_on": "best_on_test",
                             "published": None}},
    "steps": [{"name": "train", "status": "done", "error": None}],
}  # fmt: skip


def record(work_directory: Path, name: str, **facts: object) -> RunFolder:
    folder = RunFolder(work_directory / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.record(FACTS | facts)
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs whose records were opened, as it happens."""
    names: list[str] = []

    def counted(folder: Path):
        names.append(folder.name)
        return read_record(folder)

    for module in (run_index, run_records):
        monkeypatch.setattr(module, "read_record", counted)
    return names


def states(runs: LocalRuns) -> list[tuple[str, str]]:
    return [(run.id, run.state) for run in runs.all_runs()]


def test_a_record_says_what_a_list_shows(tmp_path):
    record(tmp_path, "a")
    (run,) = LocalRuns(tmp_path).all_runs()
    assert (run.benchmark, run.backbone, run.started_by) == ("demo", "stgcn", "somebody")
    assert run.modalities == ("joint", "bone_motion")
    assert run.accuracies == {"joint": Accuracy(80.5, 81.0, "best_on_test", None)}
    assert (run.ended - run.started).total_seconds() == 60


def test_what_stays_as_it_is_is_read_once_and_what_changes_again(tmp_path, read):
    for name in ("a", "b"):
        record(tmp_path, name)
    runs = LocalRuns(tmp_path)
    assert states(runs) == states(runs) == [("b", "done"), ("a", "done")]
    assert sorted(read) == ["a", "b"]
    record(tmp_path, "a", status="failed")
    record(tmp_path, "c")
    shutil.rmtree(tmp_path / "b")
    assert states(runs) == [("c", "done"), ("a", "failed")]
    assert sorted(read) == ["a", "a", "b", "c"]
    shutil.rmtree(tmp_path / "a")
    record(tmp_path, "a")  # another run of that name
    assert dict(states(runs))["a"] == "done"


def test_a_record_of_equal_size_and_time_is_still_another(tmp_path):
    folder = record(tmp_path, "a", status="done")
    runs = LocalRuns(tmp_path)
    before = (folder.path / "run.json").stat()
    assert states(runs) == [("a", "done")]
    record(tmp_path, "a", status="lost")
    os.utime(folder.path / "run.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (folder.path / "run.json").stat().st_size == before.st_size
    assert states(runs) == [("a", "lost")]


def test_a_run_is_seen_to_end_whether_or_not_it_says_so(tmp_path):
    runs = LocalRuns(tmp_path)
    folder = record(tmp_path, "a", status="running", seconds=None)
    silent = record(tmp_path, "b", status="running", seconds=None)
    with lifeline.held(folder.path), lifeline.held(silent.path):
        assert states(runs) == [("b", "running"), ("a", "running")]
        record(tmp_path, "a", status="done")
    assert states(runs) == [("b", "lost"), ("a", "done")]


def test_a_run_that_ends_while_it_is_looked_at_is_not_lost(tmp_path, monkeypatch):
    folder = record(tmp_path, "a", status="running")

    def ends(_folder: Path) -> None:
        record(tmp_path, "a", status="done")

    monkeypatch.setattr("components.lifeline.holder", ends)
    assert states(LocalRuns(tmp_path)) == [("a", "done")]
    record(tmp_path, "a", status="running")
    assert LocalRuns(tmp_path).run(folder.name).state == "done"


DAMAGED = [
    "",
    "[]",
    '{"status": "done"',
    "\xff",
    '{"started": "yesterday"}',
    '{"started": "0001-01-01T00:00:00+0000"}',
    '{"seconds": "x", "started": "2026-01-02T03:04:05+0000"}',
    '{"seconds": 1e999}',
    '{"seconds": 1' + "0" * 400 + "}",
    '{"seconds": NaN}',
    '{"modalities": "joint"}',
    '{"modalities": [1]}',
    '{"benchmark": {}}',
    '{"recipe": "{"}',
    '{"recipe": "{}"}',
    '{"accuracies": {"joint": 1}}',
    '{"accuracies": {"joint": {"last": "high"}}}',
    '{"steps": [1]}',
    '{"steps": [{}]}',
    '{"status": []}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:40])
def test_one_damaged_record_is_shown_and_breaks_nothing(tmp_path, text):
    record(tmp_path, "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_bytes(text.encode("latin-1"))
    runs = LocalRuns(tmp_path)
    for listed in (runs.all_runs(), runs.runs(2)):
        assert [(run.id, run.state) for run in listed] == [("b", "unknown"), ("a", "done")]
        assert "b/run.json: is not the record of a run" in listed[0].error
    with pytest.raises(InputError, match="is not the record of a run"):
        runs.run("b")


def test_a_record_that_is_mended_is_read(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "run.json").write_text("{")
    runs = LocalRuns(tmp_path)
    assert states(runs) == [("a", "unknown")]
    record(tmp_path, "a")
    assert states(runs) == [("a", "done")]


def test_only_folders_with_a_file_of_that_name_are_runs(tmp_path):
    record(tmp_path, "a")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "b" / "run.json").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c" / "run.json")  # to open it would wait for ever
    (tmp_path / "d").symlink_to(tmp_path / "none")
    record(tmp_path, os.fsdecode(b"\xff"))  # no text, and so no part of an address
    assert states(LocalRuns(tmp_path)) == [("a", "done")]


def test_text_that_no_encoding_has_is_replaced(tmp_path):
    record(tmp_path, "a", benchmark="\ud800demo", started_by="\udfff")
    (run,) = LocalRuns(tmp_path).all_runs()
    assert (run.benchmark, run.started_by) == ("?demo", "?")


NAMES = st.text(max_size=300) | st.sampled_from(
    ["..", ".", "", "../a", "a/../a", "/", "a/", "./a", "sub/b", "a\0", "x" * 5000, "\udcff"]
)


@given(name=NAMES)
def test_no_name_leads_out_of_the_work_directory(name, tmp_path_factory):
    parent = tmp_path_factory.getbasetemp() / "names"
    if not parent.exists():
        for place in (parent, parent / "runs", parent / "runs" / "sub"):
            record(place, "a")
            record(place.parent, place.name)
            record(place, "b")
    runs = LocalRuns(parent / "runs")
    if name in ("a", "b", "sub"):
        assert runs.run(name).id == name
    else:
        with pytest.raises(FRHeadError, match="there is no such run"):
            runs.run(name)


def test_one_run_is_found_without_looking_at_the_others(tmp_path, monkeypatch):
    record(tmp_path, "a")
    monkeypatch.setattr("os.scandir", lambda *_: pytest.fail("the work directory is listed"))
    monkeypatch.setattr(Path, "iterdir", lambda *_: pytest.fail("the work directory is listed"))
    assert LocalRuns(tmp_path).run("a").id == "a"


WRITER = """
import sys
from pathlib import Path
from tests.pipeline.test_run_index import record
for number in range(300):
    record(Path(sys.argv[1]), f"run-{number % 10}", status=("done", "failed")[number % 2])
"""


def test_another_process_may_write_while_several_threads_list(tmp_path):
    record(tmp_path, "run-0")
    runs = LocalRuns(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        while writer.poll() is None:
            for listed in pool.map(lambda _: runs.all_runs(), range(8)):
                assert {run.state for run in listed} <= {"done", "failed"}
                assert [run.id for run in listed] == sorted(run.id for run in listed)[::-1]
    assert writer.returncode == 0
    assert runs.all_runs() == LocalRuns(tmp_path).all_runs()
    assert len(runs.all_runs()) == 10


def test_runs_of_any_name_are_ordered_by_when_they_started(tmp_path: Path) -> None:
    for name, year in (("zz", 2020), ("a", 2026), ("m", 2023)):
        (tmp_path / name).mkdir()
        started = f"{year}-01-01T00:00:00+0000"
        (tmp_path / name / RECORD).write_text(json.dumps({"status": "done", "started": started}))
    assert [run.id for run in RunIndex(tmp_path).records()] == ["a", "m", "zz"]
    assert [run.id for run in LocalRuns(tmp_path).runs(2)] == ["a", "m"]
