"""Runs of this machine through the interface that clusters have as well."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.events import FILE_NAME, EventFile
from frhead_core.errors import FRHeadError
from pipeline.cli import exit_code_of
from pipeline.local_runs import LocalRuns
from pipeline.run_folder import RunFolder

HOLDER = """
import sys, time
from pathlib import Path
from components import lifeline
with lifeline.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def run_folder(work_directory: Path, name: str, status: str, **facts: object) -> RunFolder:
    folder = RunFolder(work_directory / name)
    folder.path.mkdir(parents=True)
    common = {"benchmark": "demo", "started": "2026-01-02T03:04:05+0000", "raw": "/data/raw.zip",
              "modalities": ["joint"]}  # fmt: skip
    folder.record(common | {"status": status} | facts)
    return folder


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[RunFolder, subprocess.Popen[str]]]:
    """A run whose program lives."""
    folder = run_folder(tmp_path, "20260102-030405-demo", "running")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    yield folder, process
    process.kill()
    process.communicate()


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for number in range(3):
        run_folder(tmp_path, f"2026010{number}-000000-demo", "done", seconds=60.0)
    (tmp_path / "artifacts").mkdir()

    runs = LocalRuns(tmp_path).runs(2)

    assert [run.id for run in runs] == ["20260102-000000-demo", "20260101-000000-demo"]
    assert runs[0].state == "done"
    assert runs[0].started and runs[0].ended
    assert (runs[0].ended - runs[0].started).total_seconds() == 60


def test_a_run_is_running_as_long_as_its_program_lives(running, tmp_path: Path) -> None:
    folder, process = running
    events = EventFile(folder.step("train_modality-joint") / FILE_NAME)
    events.write("started")
    events.write("message", text="epoch 1")

    run = LocalRuns(tmp_path).run(folder.name)
    assert (run.state, run.steps[0].state, run.steps[0].text) == ("running", "running", "epoch 1")

    process.kill()
    process.wait()
    run = LocalRuns(tmp_path).run(folder.name)
    assert (run.state, run.steps[0].state) == ("lost", "lost")


def test_stopping_asks_the_program_of_the_run_and_no_other(running, tmp_path: Path) -> None:
    folder, process = running

    LocalRuns(tmp_path).stop(folder.name)

    assert process.wait(timeout=10) == -signal.SIGTERM
    with pytest.raises(FRHeadError, match="is not running; found lost"):
        LocalRuns(tmp_path).stop(folder.name)


def test_the_steps_say_how_they_ended_and_why(tmp_path: Path) -> None:
    failed = {"name": "train_modality-joint", "status": "failed", "error": "out of memory"}
    folder = run_folder(tmp_path, "20260102-030405-demo", "failed", seconds=5.0, steps=[failed])
    EventFile(folder.step("fingerprint_data") / FILE_NAME).write("started")
    EventFile(folder.step("fingerprint_data") / FILE_NAME).write("finished")
    time.sleep(0.01)
    EventFile(folder.step("train_modality-joint") / FILE_NAME).write(
        "error", text="out of memory", expected=False
    )

    run = LocalRuns(tmp_path).run(folder.name)

    assert run.error == "train_modality-joint: out of memory"
    assert [(step.name, step.state) for step in run.steps] == [
        ("fingerprint_data", "done"),
        ("train_modality-joint", "failed"),
    ]


@pytest.fixture
def done(tmp_path: Path) -> RunFolder:
    folder = run_folder(tmp_path, "20260102-030405-demo", "done", seconds=5.0)
    step = folder.step("fingerprint_data")
    EventFile(step / FILE_NAME).write("started")
    EventFile(step / FILE_NAME).write("finished")
    (step / "log.txt").write_text("hashing\n")
    return folder


def test_the_commands_show_it(
    done: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    where = ["--work-directory", str(tmp_path)]
    try:
        outputs = []
        for arguments in (
            ["list"],
            ["show", done.name],
            ["watch", done.name],
            ["logs", done.name, "fingerprint_data"],
            ["logs", done.name, "fingerprint_data", "--follow"],
        ):
            assert exit_code_of(["runs", *arguments, *where]) == 0
            outputs.append(capsys.readouterr().out)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert f"{done.name}  demo  done   2026-01-02 12:04:05 JST  0:05" in outputs[0]
    assert "fingerprint_data  done" in outputs[1]
    assert outputs[2].splitlines() == ["fingerprint_data: done: done in 0:00", "demo: done"]
    assert outputs[3] == outputs[4] == "hashing\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["show", "20260102-030405-dem"],
            "there is no such run; found 20260102-030405-dem. Did you",
        ),
        (["logs", "20260102-030405-demo", "fingerprint"], "expected fingerprint_data"),
        (["stop", "20260102-030405-demo"], "is not running; found done"),
        (["retry", "20260102-030405-demo"], "only a run that failed or was stopped can go on"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    done: RunFolder,
    tmp_path: Path,
    arguments: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code_of(["runs", *arguments, "--work-directory", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_no_work_directory_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["runs", "list", "--work-directory", str(tmp_path / "none")]) == 2
    assert "there is no such work directory" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_from_its_record(
    synthetic_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped by one command and gone on with by another, with the settings of the first."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    work_directory = tmp_path / "runs"
    settings = ["training.epochs=3", "model.base_channels=8", "loader.window=16",
                "loader.repeat=1", "training.batch_size=8"]  # fmt: skip
    command = ["run", "demo-nw-ucla", "--raw", str(synthetic_zip), "--modalities", "joint"]
    command += ["--work-directory", str(work_directory), "--output", str(tmp_path / "results")]
    program = "from pipeline.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command, *(f"--set={each}" for each in settings)],
        stdout=subprocess.DEVNULL,
    )
    runs = LocalRuns(work_directory)
    deadline = time.monotonic() + 120
    while not (started := training(work_directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert started
    (first,) = [run.id for run in runs.runs(5)]

    runs.stop(first)
    assert process.wait(timeout=60) == 130
    assert runs.run(first).state == "stopped"
    second = runs.retry(first, "once-more")
    assert second == "once-more"

    assert runs.run(second).state == "done"
    records = [
        json.loads((work_directory / each / "run.json").read_text()) for each in (first, second)
    ]
    for key in ("recipe", "raw", "modalities", "how", "champions", "given"):
        assert records[0][key] == records[1][key]
    assert (tmp_path / "results" / "report.html").exists()
    assert [path.name for path in (tmp_path / "results" / "models").iterdir()] == ["joint"]


def training(work_directory: Path) -> bool:
    files = work_directory.glob("*/steps/train_modality-joint/events.jsonl")
    return any('"progress"' in file.read_text() for file in files)
