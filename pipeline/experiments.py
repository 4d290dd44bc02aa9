"""Runs an experiment: one run of the pipeline after the other, and one table of all of them.

Every run goes through the same DAG, cache and checkpoints as ``frhead run``: data are prepared
once, what was trained before is not trained again, and after an interruption the same command goes
on. The folder of an experiment::

    experiment.json         what was run, and every figure
    table.txt               what is printed in the end
    summary.csv, runs.csv   means and tests; every run
    report.html             one self-contained page
    <variant>/seed-<seed>/  the results of each run, as `frhead run` leaves them
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frhead_core.config import Recipe
from frhead_core.errors import FRHeadError, InputError
from frhead_core.evaluation.experiment import Experiment, Trial, blocks, costs
from frhead_core.evaluation.experiment_report import write_experiment_report
from frhead_core.evaluation.experiment_tables import (
    experiment_text,
    experiment_values,
    runs_csv,
    summary_csv,
    trial_text,
)
from frhead_core.evaluation.tables import modality_text
from frhead_core.files import write_atomically
from frhead_core.progress import format_duration
from pipeline.arguments import pipeline_arguments
from pipeline.code_version import code_version
from pipeline.local_run import LocalRun, StepError, run_locally, threads_of
from pipeline.plans import Plan, Variant
from pipeline.score_places import SEED_FOLDER

RECORD = "experiment.json"
TABLE = "table.txt"
REPORT = "report.html"
_FORMAT_VERSION = 1
_STEPS_OF_A_VARIANT = ("train_modality", "evaluate_modality", "ensemble_modalities")

Run = Callable[[LocalRun], Path]
"""Runs the pipeline and returns the folder with the results."""


class RunsFailedError(FRHeadError):
    """Some runs of an experiment failed; the others are in its table.

    Args:
        text: How many.
        exit_code: 2 if every one said what the user can mend, else 1.
    """

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Finished:
    """An experiment that has come to its end.

    Attributes:
        folder: With all that belongs to it.
        experiment: Its runs.
        text: The table for people.
        exit_code: 0, or that of the runs that failed.
    """

    folder: Path
    experiment: Experiment
    text: str
    exit_code: int

    def raise_for_failures(self) -> None:
        """Raise if runs failed.

        Raises:
            RunsFailedError: Always then.
        """
        failed, runs = len(self.experiment.failures), len(self.experiment.trials)
        if failed:
            raise RunsFailedError(
                f"{failed} of {runs} runs failed, as the table says; the same command tries them "
                "again and repeats no other",
                self.exit_code,
            )


def run_and_show(plan: Plan, how: Mapping[str, Any]) -> None:
    """Run an experiment from the command line, and end with its table.

    Args:
        plan: What to run.
        how: Fields of a :class:`~pipeline.local_run.LocalRun` that the plan does not decide.

    Raises:
        RunsFailedError: If some runs failed.
    """
    first = plan.variants[0].recipe
    finished = run_experiment(plan, LocalRun(recipe=first, modalities=plan.modalities, **how))
    print(f"\n{finished.text}\n\nreport: {finished.folder / REPORT}", flush=True)
    finished.raise_for_failures()


def run_experiment(plan: Plan, how: LocalRun, run: Run = run_locally) -> Finished:
    """Run every variant with every seed, and write the tables.

    A run that fails does not keep the others from running. Only where data that all variants share
    cannot be prepared there is nothing to go on with.

    Args:
        plan: What to run.
        how: Where and with what; its recipe, modalities and output are those of the plan.
        run: Runs the pipeline.

    Raises:
        FRHeadError: If shared data cannot be prepared, or the folder cannot be used.
        KeyboardInterrupt: If it was asked to stop.
    """
    folder = how.output or how.work_directory / "experiments" / f"{plan.name}-{plan.mark[:8]}"
    _begin(folder, plan)
    total = len(plan.variants) * len(plan.seeds)
    print(f"experiment in {folder}: {plan.title}, {total} runs", flush=True)
    experiment = _experiment(plan, how)
    exit_codes = set()
    for number, (variant, seed) in enumerate(_combinations(plan), 1):
        print(f"\n[{number}/{total}] {trial_text(variant.name, seed)}", flush=True)
        trial, exit_code = _tried(plan, variant, seed, how, folder, run)
        experiment = dataclasses.replace(experiment, trials=(*experiment.trials, trial))
        exit_codes |= {exit_code} - {0}
        _write_record(folder, plan, experiment_values(experiment, (), {}), "running")
    exit_code = 0 if not exit_codes else 2 if exit_codes == {2} else 1
    return Finished(folder, experiment, _write_tables(folder, plan, experiment), exit_code)


def _combinations(plan: Plan) -> list[tuple[Variant, int]]:
    """Seed by seed, so that every variant has a figure as early as possible."""
    return [(variant, seed) for seed in plan.seeds for variant in plan.variants]


def _begin(folder: Path, plan: Plan) -> None:
    """Take a folder for an experiment; one of another or of anything else is left alone."""
    record = folder / RECORD
    if folder.exists() and any(folder.iterdir()):
        try:
            mark = json.loads(record.read_text(encoding="utf-8"))["plan"]
        except (OSError, ValueError, KeyError, TypeError):
            mark = None
        if mark != plan.mark:
            raise InputError(
                "holds something else" if mark is None else "holds another experiment",
                file=folder,
                hint="Name another --output",
            )
    _write_record(folder, plan, {"title": plan.title, "runs": []}, "running")


def _experiment(plan: Plan, how: LocalRun) -> Experiment:
    recipes = [variant.recipe for variant in plan.variants]
    first = recipes[0]
    return Experiment(
        title=plan.title,
        benchmark=first.name,
        variants={variant.name: dict(variant.settings) for variant in plan.variants},
        seeds=plan.seeds,
        baseline=plan.baseline,
        trials=(),
        published=first.published if len(recipes) == 1 else None,
        facts={
            "modalities": ", ".join(map(modality_text, plan.modalities)),
            "epochs": _same(recipes, lambda recipe: _epochs_text(plan, recipe)),
            "precision": _same(recipes, lambda recipe: recipe.training.precision),
            "held-out validation": _same(
                recipes, lambda recipe: "yes" if recipe.training.hold_out_validation else "no"
            ),
            "threads of each modality": threads_of(
                dataclasses.replace(how, modalities=plan.modalities)
            ),
            "code version of training": code_version("train_modality"),
        },
    )


def _same(recipes: list[Recipe], value: Callable[[Recipe], str]) -> str:
    values = sorted({value(recipe) for recipe in recipes})
    return values[0] if len(values) == 1 else "differ by variant"


def _epochs_text(plan: Plan, recipe: Recipe) -> str:
    epochs = [getattr(recipe.training.epochs, name) for name in plan.modalities]
    return ", ".join(map(str, epochs if len(set(epochs)) > 1 else epochs[:1]))


def _tried(
    plan: Plan, variant: Variant, seed: int, how: LocalRun, folder: Path, run: Run
) -> tuple[Trial, int]:
    """One run, and the exit code that it would have had by itself."""
    results = folder / plan.folders[variant.name] / SEED_FOLDER.format(seed)
    begin = time.monotonic()
    try:
        run(
            dataclasses.replace(
                how,
                recipe=variant.with_seed(seed),
                modalities=plan.modalities,
                output=results,
            )
        )
        trial = Trial.read(variant.name, seed, results)
    except FRHeadError as error:
        if isinstance(error, StepError) and _concerns_all(error, plan):
            raise
        print(f"failed: {error}", flush=True)
        return Trial(variant.name, seed, error=str(error)), error.exit_code
    print(f"{format_duration(time.monotonic() - begin)}: {_accuracies_text(trial)}", flush=True)
    return trial, 0


def _concerns_all(error: StepError, plan: Plan) -> bool:
    """Whether no other run can fare better, because all prepare the same data alike."""
    if not error.step or error.step.startswith(_STEPS_OF_A_VARIANT):
        return False
    arguments = [pipeline_arguments(each.recipe, plan.modalities) for each in plan.variants]
    return (
        len({(each.dataset, each.skeleton, each.preparation, each.splits) for each in arguments})
        == 1
    )


def _accuracies_text(trial: Trial) -> str:
    return ", ".join(
        f"{modality_text(model)} {accuracy.percent:.2f} %"
        for (model, which), accuracy in trial.accuracies.items()
        if which == "last"
    )


def _write_tables(folder: Path, plan: Plan, experiment: Experiment) -> str:
    """All files of a finished experiment but the results of its runs."""
    tables, measured = blocks(experiment), costs(experiment)
    text = experiment_text(experiment, tables, measured)
    for name, content in (
        (TABLE, text + "\n"),
        ("summary.csv", summary_csv(tables)),
        ("runs.csv", runs_csv(experiment)),
    ):
        write_atomically(folder / name, content.encode())
    write_experiment_report(folder / REPORT, experiment, tables, measured)
    status = "failed" if experiment.failures else "done"
    _write_record(folder, plan, experiment_values(experiment, tables, measured), status)
    return text


def _write_record(folder: Path, plan: Plan, values: dict[str, object], status: str) -> None:
    record = {"format_version": _FORMAT_VERSION, "plan": plan.mark, "status": status, **values}
    write_atomically(folder / RECORD, (json.dumps(record, indent=2) + "\n").encode())
