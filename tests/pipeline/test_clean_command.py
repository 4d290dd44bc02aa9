"""``frhead clean`` as a user starts it, after real runs and beside one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import work_lock
from pipeline.cli import exit_code_of
from pipeline.local_runs import LocalRuns
from tests.pipeline.work_directories import WorkDirectory, step_name

SETTINGS = (
    *("training.epochs=1", "model.base_channels=8", "loader.window=16"),
    *("loader.repeat=1", "training.batch_size=8"),
)


@pytest.fixture
def work(tmp_path: Path) -> WorkDirectory:
    (tmp_path / "runs").mkdir()
    return WorkDirectory(tmp_path / "runs")


def clean(work: WorkDirectory, *options: str) -> int:
    return exit_code_of(["clean", "--work-directory", str(work.path), *options])


def test_it_is_shown_and_only_removed_when_told_to(
    work: WorkDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    work.artifact(step_name(0), age=50)
    run = work.run(50)
    (work.path / "notes.txt").write_text("mine")
    before = work.contents()

    assert clean(work, "--keep", "0", "--kinds", "artifacts,runs") == 0
    shown = capsys.readouterr().out
    assert work.contents() == before
    assert not (work.path / "runs.lock").exists()
    rows = [line.split(maxsplit=2) for line in shown.splitlines()]
    assert rows[0] == ["kind", "name", "why it can go".ljust(41) + "  size"]
    assert rows[1][:2] == ["artifacts", f"artifacts/{step_name(0)}"]
    assert rows[1][2] == "no run that stays made it or refers to it  1.0 kB"
    assert rows[2][:2] == ["runs", run.name]
    assert "last used 50 days ago" in rows[2][2]
    assert "left alone:\nnotes.txt  is no folder with a run.json" in shown
    assert "total that can go: 2, 1." in shown and "runs that stay: 0" in shown
    assert shown.endswith("nothing was removed; --yes removes it\n")

    assert clean(work, "--keep", "0", "--kinds", "artifacts,runs", "--yes") == 0
    assert capsys.readouterr().out.endswith("removed\n")
    assert not run.exists()
    assert [path.name for path in (work.path / "artifacts").iterdir()] == []
    assert (work.path / "notes.txt").exists()

    assert clean(work, "--kinds", "artifacts,runs", "--yes") == 0
    assert "total that can go: 0, 0 B" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--kinds", "runs,disk"], "'disk' is not one of runs, cache, artifacts, checkpoints"),
        (["--older-than", "30"], "'30' is not a time like"),
        (["--keep", "-1"], "-1 is not in the range"),
        (["--work-directory", "nowhere"], "Directory 'nowhere' does not exist"),
    ],
)
def test_what_cannot_be_done_is_said(
    work: WorkDirectory, options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean(work, *options) == 2
    assert problem in capsys.readouterr().err


def test_a_run_waits_until_the_removal_is_over(work: WorkDirectory) -> None:
    program = "from pipeline import work_lock; from pathlib import Path; import sys\n"
    program += "with work_lock.shared(Path(sys.argv[1])): print('goes on', flush=True)"

    with work_lock.alone(work.path) as free:
        assert free
        run = subprocess.Popen(
            [sys.executable, "-c", program, str(work.path)], stdout=subprocess.PIPE, text=True
        )
        assert run.stdout
        assert run.stdout.readline().startswith("waiting: `frhead clean` is at work")
    assert run.communicate(timeout=60)[0] == "goes on\n"


def test_several_runs_share_a_work_directory_and_none_may_be_cleaned_then(
    work: WorkDirectory,
) -> None:
    with work_lock.shared(work.path), work_lock.shared(work.path):
        assert not work_lock.is_free(work.path)
        with work_lock.alone(work.path) as free:
            assert not free
    assert work_lock.is_free(work.path)


def start_run(raw: Path, work: WorkDirectory, *more: str) -> subprocess.Popen[str]:
    settings = [f"--set={each}" for each in SETTINGS]
    command = ["run", "demo-nw-ucla", "--raw", str(raw), "--work-directory", str(work.path)]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *command, "--modalities", "joint", *settings, *more],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_of(work: WorkDirectory, run: str) -> dict[str, str]:
    record = json.loads((work.path / run / "run.json").read_text())
    return {step["name"]: step["status"] for step in record["steps"]}


@pytest.mark.slow
def test_after_a_cleaning_a_run_that_stayed_is_still_found_in_the_cache(
    synthetic_zip: Path, work: WorkDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two seeds, the older one removed while nothing runs; both are run again."""
    for seed in ("1", "2"):
        process = start_run(synthetic_zip, work, "--seed", seed)
        assert process.wait(timeout=180) == 0, process.communicate()[1]
    newer, older = (run.id for run in LocalRuns(work.path).runs(5))

    assert clean(work) == 0
    assert "total that can go: 0, 0 B; runs that stay: 2" in capsys.readouterr().out
    assert clean(work, "--keep", "1", "--older-than", "1s", "--yes") == 0
    text = capsys.readouterr().out
    assert older in text and newer not in text
    assert not (work.path / older).exists()
    trained = [path for path in (work.path / "checkpoints").iterdir() if len(path.name) == 32]
    assert len(trained) == 1

    process = start_run(synthetic_zip, work, "--seed", "2")
    assert process.wait(timeout=180) == 0, process.communicate()[1]
    again = LocalRuns(work.path).runs(1)[0].id
    statuses = steps_of(work, again)
    assert statuses.pop("fingerprint_data") == "done"
    assert set(statuses.values()) == {"cached"}

    process = start_run(synthetic_zip, work, "--seed", "1")
    while not (live := running(work)) and process.poll() is None:
        time.sleep(0.05)
    assert clean(work, "--keep", "0", "--older-than", "1s", "--yes") == 0
    text = capsys.readouterr().out
    assert f"artifacts    {live} is alive, or may have just been started" in text
    assert newer in text and not (work.path / newer).exists()
    assert process.wait(timeout=180) == 0, process.communicate()[1]
    statuses = steps_of(work, live)
    assert statuses["transform_sequences"] == "cached"
    assert statuses["train_modality-joint"] == "done"


def running(work: WorkDirectory) -> str:
    """Name of the run that holds the work directory, once it has a record."""
    if work_lock.is_free(work.path):
        return ""
    return next((run.id for run in LocalRuns(work.path).runs(5) if run.state != "done"), "")
