"""Experiments over runs that leave score files, and one through the pipeline itself."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frhead_core.config import Recipe, load_recipe
from frhead_core.errors import InputError
from frhead_core.evaluation.scores import Scores
from pipeline import experiments
from pipeline.cli import exit_code_of
from pipeline.experiments import Finished, RunsFailedError, run_experiment
from pipeline.local_run import LocalRun, StepCrashedError, StepError, StepInputError
from pipeline.plans import Plan, ablation_plan, variant

RECIPE = load_recipe("demo-nw-ucla")
FAILURE = StepInputError("train_modality-joint: too few samples", "train_modality-joint")


class Runs:
    """Stands in for the pipeline: leaves scores, or fails for some recipes."""

    def __init__(self) -> None:
        self.seen: list[LocalRun] = []
        self.failing: dict[str, StepError] = {}

    def __call__(self, run: LocalRun) -> Path:
        self.seen.append(run)
        recipe = run.recipe
        name = recipe.head.version if recipe.head.enabled else "no head"
        if name in self.failing:
            raise self.failing[name]
        assert run.output is not None
        for model in run.modalities:
            write_scores(run.output / "scores" / model, recipe)
        return run.output


def write_scores(folder: Path, recipe: Recipe) -> None:
    generator = np.random.default_rng(recipe.training.seed)
    labels = np.arange(40, dtype=np.int64) % 10
    logits = generator.normal(size=(40, 10)).astype(np.float32)
    logits[np.arange(40), labels] += 3 if recipe.head.enabled else 1
    names, parts = tuple(f"s{row}" for row in range(40)), ("test",) * 40
    seen = np.zeros(40, dtype=bool)
    Scores(names, logits, labels, parts, seen).save(folder / "last.npz")


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def how(tmp_path: Path) -> LocalRun:
    return LocalRun(RECIPE, ("joint",), tmp_path / "raw.zip", tmp_path / "runs", threads=1)


def plan_of(*versions: str, seeds: tuple[int, ...] = (1, 2)) -> Plan:
    return ablation_plan(RECIPE, versions, seeds, ["joint"])


def lines(finished: Finished, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((finished.folder / name).read_text().splitlines()))


def test_every_variant_runs_with_every_seed_and_all_files_are_there(
    runs: Runs, how: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = run_experiment(plan_of("no-head", "V0"), how, runs)

    finished.raise_for_failures()
    assert finished.exit_code == 0
    asked = [(run.recipe.head.enabled, run.recipe.training.seed) for run in runs.seen]
    assert asked == [(False, 1), (True, 1), (False, 2), (True, 2)]
    assert all(run.threads == 1 and run.raw == how.raw for run in runs.seen)
    places = [run.output.relative_to(finished.folder) for run in runs.seen if run.output]
    assert list(map(str, places)) == [
        *("no-head/seed-1", "v0/seed-1", "no-head/seed-2", "v0/seed-2"),
    ]
    text = (finished.folder / "table.txt").read_text()
    assert text == finished.text + "\n"
    assert "joint, last epoch, test part" in text
    assert len(lines(finished, "runs.csv")) == 4
    assert [row["variant"] for row in lines(finished, "summary.csv")] == ["no head", "V0"]
    record = json.loads((finished.folder / "experiment.json").read_text())
    assert record["status"] == "done"
    assert record["tables"][0]["rows"][1]["comparison"]["difference"] > 0
    assert (finished.folder / "report.html").stat().st_size > 1000
    printed = capsys.readouterr().out
    assert "[3/4] no head, seed 2" in printed
    assert "joint" in printed.split("[3/4]")[1]


def test_one_that_fails_does_not_lose_the_others(runs: Runs, how: LocalRun) -> None:
    runs.failing["V0"] = FAILURE

    finished = run_experiment(plan_of("no-head", "V0", "V1"), how, runs)

    assert len(runs.seen) == 6
    with pytest.raises(RunsFailedError, match="2 of 6 runs failed") as caught:
        finished.raise_for_failures()
    assert caught.value.exit_code == 2
    assert "V0, seed 2: train_modality-joint: too few samples" in finished.text
    status = {(row["variant"], row["status"]) for row in lines(finished, "runs.csv")}
    assert status == {("no head", "done"), ("V0", "failed"), ("V1", "done")}
    assert json.loads((finished.folder / "experiment.json").read_text())["status"] == "failed"
    runs.failing["V1"] = StepCrashedError("train_modality-joint: odd", "train_modality-joint")
    assert run_experiment(plan_of("no-head", "V0", "V1"), how, runs).exit_code == 1


def test_the_same_command_goes_on_in_the_same_folder(runs: Runs, how: LocalRun) -> None:
    runs.failing["V0"] = FAILURE
    first = run_experiment(plan_of("no-head", "V0"), how, runs)
    runs.failing.clear()

    again = run_experiment(plan_of("no-head", "V0"), how, runs)

    assert again.folder == first.folder
    assert again.exit_code == 0
    assert "failed" not in (again.folder / "table.txt").read_text()
    other = run_experiment(plan_of("no-head", "V0", seeds=(1,)), how, runs)
    assert other.folder != first.folder


def test_data_that_cannot_be_prepared_end_the_experiment_at_once(runs: Runs, how: LocalRun) -> None:
    unreadable = StepInputError("fingerprint_data: no such file", "fingerprint_data")
    runs.failing["no head"] = unreadable

    with pytest.raises(StepInputError, match="no such file"):
        run_experiment(plan_of("no-head", "V0"), how, runs)

    assert len(runs.seen) == 1
    # Variants that are prepared differently may well fare differently.
    strict = {"preparation.max_quarantined_share": 0.0, "head.enabled": False}
    variants = (variant(RECIPE, "strict", strict), variant(RECIPE, "as it is", {}))
    differing = dataclasses.replace(plan_of("V0"), variants=variants, baseline=None, seeds=(1,))
    assert run_experiment(differing, how, runs).exit_code == 2
    assert len(runs.seen) == 3


def test_a_folder_of_something_else_is_left_alone(
    runs: Runs, how: LocalRun, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    here = dataclasses.replace(how, output=tmp_path / "thesis")
    with pytest.raises(InputError, match="thesis: holds something else"):
        run_experiment(plan_of("V0", "V1"), here, runs)
    there = dataclasses.replace(how, output=tmp_path / "new")
    run_experiment(plan_of("V0", "V1"), there, runs)
    with pytest.raises(InputError, match="new: holds another experiment"):
        run_experiment(plan_of("V0", "V2"), there, runs)
    assert len(runs.seen) == 4


def test_variants_can_be_compared_afterwards(
    runs: Runs, how: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = run_experiment(plan_of("no-head", "V0", seeds=(1, 2, 3)), how, runs)
    capsys.readouterr()

    places = [str(finished.folder / name) for name in ("no-head", "v0")]
    assert exit_code_of(["compare", *places]) == 0

    assert "over 3 seeds: B - A" in capsys.readouterr().out


@pytest.fixture
def commands(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a command with the pipeline replaced."""
    monkeypatch.setattr(
        experiments, "run_experiment", lambda plan, how: run_experiment(plan, how, runs)
    )
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: exit_code_of([*arguments, "--raw", "raw.zip"])


def test_a_run_with_seeds_is_an_experiment(
    commands: Any, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("run", "demo-nw-ucla", "--seeds", "4-6", "--modalities", "joint,bone")
    assert commands(*arguments, "--epochs", "2", "--threads", "1", "--output", "out") == 0

    assert [run.recipe.training.seed for run in runs.seen] == [4, 5, 6]
    assert all(run.recipe.training.epochs.bone == 2 for run in runs.seen)
    assert all(run.modalities == ("joint", "bone") for run in runs.seen)
    printed = capsys.readouterr().out
    assert "mean ± deviation" in printed
    assert printed.rstrip().splitlines()[-1] == "report: out/report.html"
    assert Path("out/seed-5/scores/bone/last.npz").exists()
    assert commands("run", "demo-nw-ucla", "--seeds", "1,2", "--seed", "3") == 2
    assert commands("run", "demo-nw-ucla", "--seeds", "1,2", "--name", "mine") == 2
    assert "not both" in capsys.readouterr().err


def test_an_ablation_takes_versions_seeds_and_settings(
    commands: Any, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.failing["NO FN & FP"] = FAILURE
    arguments = ("ablation", "demo-nw-ucla", "--versions", "no-head,no-fn-fp", "--seed", "7")
    assert commands(*arguments, "--set", "model.base_channels=8") == 2

    captured = capsys.readouterr()
    assert [run.recipe.training.seed for run in runs.seen] == [7, 7]
    assert all(run.recipe.model.base_channels == 8 for run in runs.seen)
    assert all(run.modalities == ("joint",) for run in runs.seen)
    assert "NO FN & FP  failed" in captured.out
    assert "error: 1 of 2 runs failed" in captured.err
    assert "the same command tries them again" in captured.err
    assert commands("ablation", "demo-nw-ucla", "--versions", "V7") == 2
    assert "no such version of the head" in capsys.readouterr().err


def test_a_sweep_that_is_wrong_runs_nothing(
    commands: Any, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.yaml").write_text("benchmark: demo\ngrid: {head.versoin: [V0, V1]}\n")

    assert commands("sweep", "sweep.yaml") == 2

    assert "sweep.yaml:2: head.versoin: unknown setting" in capsys.readouterr().err
    assert not runs.seen


@pytest.mark.slow
def test_a_sweep_through_the_pipeline_prepares_once_and_outlives_a_failure(
    synthetic_zip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(
        "benchmark: demo-nw-ucla\nmodalities: [joint]\n"
        "settings: {training.epochs: 1, model.base_channels: 8, loader.window: 16, "
        "loader.repeat: 1}\n"
        "grid: {training.batch_size: [4000, 8]}\n"
    )

    assert exit_code_of(["sweep", "sweep.yaml", "--raw", str(synthetic_zip)]) == 2

    captured = capsys.readouterr()
    assert "1 of 2 runs failed" in captured.err
    assert captured.out.count("extract_raw_skeletons: done") == 1
    assert captured.out.count("extract_raw_skeletons: nothing to do") == 1
    assert "too few samples for one batch" in captured.out
    (folder,) = (tmp_path / "runs" / "experiments").iterdir()
    trained = folder / "batch_size=8" / "seed-1"
    accuracies = (trained / "accuracies.txt").read_text()
    record = json.loads((folder / "experiment.json").read_text())
    (done,) = (run for run in record["runs"] if run["error"] is None)
    last = next(each for each in done["accuracies"] if each["scores"] == "last")
    assert f"{last['right']} of {last['samples']}" in accuracies
    assert record["costs"][0]["parameters"] > 0

    assert exit_code_of(["sweep", "sweep.yaml", "--raw", str(synthetic_zip)]) == 2

    again = capsys.readouterr().out
    assert again.count("train_modality-joint: nothing to do") == 1
    assert again.count("train_modality-joint: done") == 0
    assert again.splitlines()[-1] == captured.out.splitlines()[-1]
