"""``frhead run`` as a user starts it, on a tiny model and 60 synthetic recordings."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline.dag
from components.runtime import RUN_DIRECTORY
from frhead_core.config import Modality, Recipe, load_recipe, override
from frhead_core.data.synthetic import write_nw_ucla
from pipeline.local_run import LocalRun, run_locally

TINY = (
    "training.epochs=1",
    "model.base_channels=8",
    "loader.window=16",
    "loader.repeat=1",
    "training.batch_size=8",
)
PREPARATION = {"extract_raw_skeletons", "denoise_skeletons", "transform_sequences"}
LAST = {"ensemble_modalities"}
STEPS = PREPARATION | {"train_modality", "evaluate_modality"} | LAST


def modality_steps(*modalities: str) -> set[str]:
    return {f"{step}_modality-{name}" for step in ("train", "evaluate") for name in modalities}


def last_run(work_directory: Path) -> dict[str, Any]:
    newest = max(work_directory.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    record: dict[str, Any] = json.loads(newest.read_text())
    return record | {"folder": newest.parent}


Execute = Callable[..., set[str]]


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Runs the pipeline and says which steps were executed, the uncached first one left out."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(
        recipe: Recipe, raw: Path, modalities: tuple[Modality, ...] = ("joint", "bone"), **more: Any
    ) -> set[str]:
        run_locally(LocalRun(recipe, modalities, raw, tmp_path / "runs", **more))
        steps = last_run(tmp_path / "runs")["steps"]
        assert {step["status"] for step in steps} <= {"done", "cached"}
        assert steps[0]["name"] == "fingerprint_data"
        assert steps[0]["status"] == "done"
        return {step["name"] for step in steps[1:] if step["status"] == "done"}

    return run


@pytest.mark.slow
def test_exactly_what_a_change_concerns_is_repeated(
    executed: Execute, synthetic_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw.zip"
    shutil.copyfile(synthetic_zip, raw)
    recipe = override(load_recipe("demo-nw-ucla"), TINY)
    versions = {step: pipeline.dag.code_version(step) for step in STEPS}
    monkeypatch.setattr(pipeline.dag, "code_version", lambda step: versions[step])

    assert executed(recipe, raw) == PREPARATION | modality_steps("joint", "bone") | LAST
    # Neither how many are trained at once nor where checkpoints lie changes a result.
    assert executed(recipe, raw, parallel_modalities=2, checkpoint_root=tmp_path / "c") == set()
    assert executed(recipe, raw, ("bone",)) == LAST
    longer = override(recipe, ["training.epochs.bone=2"])
    assert executed(longer, raw) == modality_steps("bone") | LAST

    with monkeypatch.context() as patch:
        patch.setitem(versions, "evaluate_modality", "another")
        assert executed(recipe, raw, ("joint",)) == {"evaluate_modality-joint"} | LAST

    write_nw_ucla(raw, seed=4, performers=2, replications=1)
    assert executed(recipe, raw, ("joint",)) == PREPARATION | modality_steps("joint") | LAST
    shutil.copyfile(synthetic_zip, raw)
    assert executed(recipe, raw) == set()


@pytest.fixture
def start(synthetic_zip: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``frhead run``; what is still running at the end is killed."""
    processes = []

    def run(
        *arguments: str, raw: Path = synthetic_zip, work_directory: Path = tmp_path / "runs"
    ) -> subprocess.Popen[str]:
        settings = [part for setting in TINY for part in ("--set", setting)]
        command = [
            "run",
            "demo-nw-ucla",
            "--raw",
            str(raw),
            "--work-directory",
            str(work_directory),
        ]
        program = "from pipeline.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *command, *settings, *arguments],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def is_training(work_directory: Path) -> bool:
    files = list(work_directory.glob("*/steps/train_modality-joint/events.jsonl"))
    return any('"progress"' in file.read_text() for file in files)


def epochs_done(work_directory: Path) -> int:
    """Epochs that a run in the work directory has finished, by the messages of its training."""
    files = work_directory.glob("*/steps/train_modality-joint/events.jsonl")
    return sum(len(re.findall(r'"text": "epoch \d+', file.read_text())) for file in files)


def step_processes(work_directory: Path) -> list[int]:
    """Processes of the steps of any run in the work directory, by their environment."""
    mark = f"{RUN_DIRECTORY}={work_directory}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_no_step_goes_on_when_the_run_is_killed(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    work_directory = tmp_path / "runs"
    process = start("--modalities", "joint", "--set", "training.epochs=500")
    assert wait_for(lambda: is_training(work_directory), 60)
    assert step_processes(work_directory)

    process.kill()

    assert wait_for(lambda: not step_processes(work_directory), 2)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_weights_of_an_undisturbed_one(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    arguments = ("--modalities", "joint", "--set", "training.epochs=6")
    undisturbed = start(*arguments, work_directory=tmp_path / "undisturbed")
    _, error = undisturbed.communicate(timeout=180)
    assert undisturbed.returncode == 0, error
    work_directory = tmp_path / "runs"
    first = start(*arguments)
    assert wait_for(lambda: epochs_done(work_directory) >= 2, 120)

    first.kill()  # that process alone, as when memory runs out; its steps notice
    first.wait()

    assert 2 <= epochs_done(work_directory) < 6
    again = start(*arguments)
    _, error = again.communicate(timeout=180)
    assert again.returncode == 0, error
    log = last_run(work_directory)["folder"] / "steps" / "train_modality-joint" / "log.txt"
    assert "going on from the checkpoint: epoch" in log.read_text()
    weights = [
        next((tmp_path / name).glob("*/results/models/joint/last.safetensors")).read_bytes()
        for name in ("undisturbed", "runs")
    ]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_the_same_command(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    work_directory = tmp_path / "runs"
    results = tmp_path / "results"
    arguments = ("--modalities", "joint", "--set", "training.epochs=4", "--output", str(results))
    process = start(*arguments)
    assert wait_for(lambda: is_training(work_directory), 60)

    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "the same command goes on" in error
    assert last_run(work_directory)["status"] == "stopped"
    again = start(*arguments)
    output, error = again.communicate(timeout=120)
    assert again.returncode == 0, error
    record = last_run(work_directory)
    statuses = {step["name"]: step["status"] for step in record["steps"]}
    assert {statuses[name] for name in PREPARATION} == {"cached"}
    assert statuses["train_modality-joint"] == "done"
    for name, status in statuses.items():
        assert (record["folder"] / "steps" / name / "log.txt").stat().st_size > 0
        assert f"{name}: {'done in' if status == 'done' else 'nothing to do'}" in output
    assert output.rstrip().splitlines()[-1] == f"report: {results / 'report.html'}"
    assert (results / "accuracies.txt").read_text().strip() in output
    names = {path.name for path in results.iterdir()}
    assert names == {"report.html", "accuracies.txt", "models", "scores", "preparation"}
    assert (results / "models" / "joint" / "last.safetensors").exists()
    assert (results / "scores" / "joint" / "last.npz").exists()


def test_bad_input_of_a_step_ends_the_run_with_its_message_and_2(
    start: Callable[..., subprocess.Popen[str]], synthetic_zip: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(synthetic_zip.read_bytes()[:-200])

    process = start(raw=cut)
    _, error = process.communicate(timeout=60)

    assert process.returncode == 2
    assert error.startswith(f"error: fingerprint_data: {cut}")
    assert len(error.splitlines()) == 1


@pytest.mark.slow
def test_two_runs_in_one_work_directory_do_not_disturb_each_other(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    both = [start("--modalities", "joint", "--seed", "5") for _ in range(2)]

    for process in both:
        _, error = process.communicate(timeout=180)
        assert process.returncode == 0, error
    reports = sorted((tmp_path / "runs").glob("*/results/report.html"))
    assert len(reports) == 2
    weights = (tmp_path / "runs").glob("*/results/models/joint/last.safetensors")
    assert len({path.read_bytes() for path in weights}) == 1
