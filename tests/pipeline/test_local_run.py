from __future__ import annotations

import os
from pathlib import Path

import pytest

from components import runtime
from frhead_core.config import load_recipe
from frhead_core.errors import FRHeadError
from pipeline import local_run
from pipeline.local_engine import LocalEngine, StepOutcome
from pipeline.local_run import LocalRun, threads_each
from pipeline.run_folder import RunFolder
from pipeline.step_processes import StepProcesses


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("asked", "trainers", "threads"),
    [
        (None, 1, 8),
        (None, 2, 4),
        ("3", 1, 3),
        ("3", 2, 3),
        ("2,1", 1, 2),
        (" 6 , 2", 2, 4),
        ("", 1, 8),
        ("many", 2, 4),
        ("0", 1, 1),
    ],
)
def test_trainers_share_the_cores_that_they_may_use(
    eight_cores: None,
    asked: str | None,
    trainers: int,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)

    assert threads_each(trainers) == threads


def test_a_lone_modality_gets_all_cores(eight_cores: None, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for modalities, threads in ((("joint",), "8"), (("joint", "bone"), "4")):
        run = LocalRun(load_recipe("demo"), modalities, tmp_path, tmp_path, parallel_modalities=2)
        assert local_run._environment(run, folder)[runtime.THREADS] == threads


def test_the_processes_of_a_trainer_share_its_cores(eight_cores: None, tmp_path: Path) -> None:
    run = LocalRun(load_recipe("demo"), ("joint",), tmp_path, tmp_path, processes=2)
    told = local_run._environment(run, RunFolder(tmp_path / "run"))
    assert (told[runtime.PROCESSES], told[runtime.THREADS]) == ("2", "4")
    assert told["OMP_NUM_THREADS"] == "8"
    assert "2 processes of 4 threads" in local_run._summary(run)


@pytest.mark.parametrize(("expected", "exit_code"), [(True, 2), (False, 1)])
def test_only_what_the_step_said_itself_is_bad_input(
    expected: bool, exit_code: int, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    engine = LocalEngine(folder, StepProcesses(tmp_path, {}))
    engine.outcomes["train_modality-joint"] = StepOutcome(
        "train_modality-joint", "failed", exit_code=2, error="odd", expected=expected
    )

    with pytest.raises(FRHeadError, match="train_modality-joint: odd") as caught:
        local_run._raise_unless_complete(engine, folder, "ensemble_modalities")

    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize(
    "raw", ["s3://recordings/all_sqe.zip", "s3://recordings/a.zip,s3://recordings/b.zip"]
)
def test_a_run_is_started_again_from_the_same_object_storage(raw: str, tmp_path: Path) -> None:
    run = LocalRun(load_recipe("demo"), ("joint",), raw, tmp_path)

    assert local_run.local_run_of(local_run._facts(run), tmp_path).raw == raw
