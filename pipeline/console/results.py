"""The results of one run, read from its folder once and kept while the files stay as they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from frhead_core.config import Modality, Recipe, recipe_from_json
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.evaluation import metrics
from frhead_core.evaluation.ensemble import EnsembleResult, checked_weights, weighted_sum
from frhead_core.evaluation.joining import joined
from frhead_core.evaluation.report import RunReport
from frhead_core.evaluation.report_tables import AccuracyRow, accuracy_rows
from frhead_core.evaluation.run_results import ModalityFolders, RunInputs, report_on
from frhead_core.evaluation.scores import Scores
from frhead_core.evaluation.tables import NOTHING_PUBLISHED, weights_text
from pipeline.console.failures import NoSuchThingError
from pipeline.console.run_facts import run_facts
from pipeline.run_folder import RECORD, RunFolder

Epoch = Literal["last", "best"]
EPOCHS: tuple[Epoch, ...] = get_args(Epoch)
Subject = Literal["ensemble", "joint", "bone", "joint_motion", "bone_motion"]
ENSEMBLE: Subject = "ensemble"
_STORE_STEP, _STORE_OUTPUT = "transform_sequences", "sequences"
_RUNS_KEPT = 2


@dataclass(frozen=True, eq=False)
class Judged:
    """What one model, or the ensemble, made of the test samples.

    Attributes:
        subject: The modality, or the ensemble.
        epoch: Which of the kept epochs.
        scores: n samples, in the same order for all subjects of a run and epoch.
    """

    subject: Subject
    epoch: Epoch
    scores: Scores

    @cached_property
    def predictions(self) -> np.ndarray:
        """(n,) int64."""
        return metrics.predicted_classes(self.scores.logits)

    @cached_property
    def matrix(self) -> np.ndarray:
        """(K, K) int64 counts; rows are true classes, columns predicted ones."""
        classes = self.scores.logits.shape[1]
        return metrics.confusion_matrix(self.predictions, self.scores.labels, classes)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.scores.names)}

    def row(self, sample: str) -> int:
        """The row of a sample.

        Raises:
            NoSuchThingError: If it is no test sample.
        """
        if sample not in self._rows:
            raise NoSuchThingError(f"There is no test sample {sample}.")
        return self._rows[sample]


@dataclass(frozen=True, eq=False)
class RunResults:
    """The results of one run.

    Attributes:
        recipe: The benchmark as it was run.
        rows: The table of accuracies: modalities, then the ensemble.
        notes: What has to be said below it.
        weights: Of the ensemble, by modality; empty without one.
        histories: One mapping for each epoch, by modality that was trained.
        judged: By subject and epoch.
    """

    recipe: Recipe
    rows: Sequence[AccuracyRow]
    notes: Sequence[str]
    weights: Mapping[Modality, float]
    histories: Mapping[Modality, Sequence[Mapping[str, float]]]
    judged: Mapping[tuple[Subject, Epoch], Judged] = field(repr=False)

    def choose(self, subject: Subject | None, epoch: Epoch | None) -> Judged:
        """What was asked for; without more the ensemble, or the first modality, of the last epoch.

        Raises:
            NoSuchThingError: If the run has none of that.
        """
        for (name, kept), judged in self.judged.items():
            if subject in (None, name) and epoch in (None, kept):
                return judged
        raise NoSuchThingError(f"This run has no results of {subject or 'any model'}, {epoch}.")

    def of_epoch(self, epoch: Epoch) -> dict[Subject, Judged]:
        """All subjects of an epoch."""
        return {name: each for (name, kept), each in self.judged.items() if kept == epoch}

    def reweighted(self, epoch: Epoch, weights: Mapping[Modality, float]) -> dict[str, float]:
        """The usual figures of an ensemble with these weights, as ``metrics.summarise`` has them.

        Raises:
            InputError: If a weight is missing, not finite, or all are zero.
            NoSuchThingError: If the run has no ensemble of that epoch.
        """
        labels = self.choose(ENSEMBLE, epoch).scores.labels
        logits = {
            cast(Modality, name): each.scores.logits
            for name, each in self.of_epoch(epoch).items()
            if name != ENSEMBLE
        }
        combined = weighted_sum(logits, checked_weights(logits, weights))
        return metrics.summarise(combined, labels)


def open_results(folder: RunFolder) -> RunResults:
    """The results of a run.

    Raises:
        NoSuchThingError: If it has none, yet or any more.
        InputError: If a part of them is missing, damaged, or does not belong to the rest.
    """
    facts = run_facts(folder)
    if facts.status != "done":
        raise NoSuchThingError(
            f"The run {folder.name} has no results yet: it is {facts.status}, and they come last."
        )
    place = results_place(folder)
    if not (place / "scores").is_dir():
        raise NoSuchThingError(f"The results of the run {folder.name} are not in {place} any more.")
    if not facts.recipe:
        raise InputError("does not say by which recipe it was run", file=folder.path / RECORD)
    return _read(place, facts.modalities, facts.recipe, _stamp(place))


def results_place(folder: RunFolder) -> Path:
    """Where the results of a run are, or will be."""
    return run_facts(folder).how.output or folder.results


def open_store(folder: RunFolder) -> SequenceStore:
    """The sequences that a run was made from.

    Raises:
        NoSuchThingError: If nothing is known of them, or they are not there any more.
        InputError: If they are damaged.
    """
    outputs = run_facts(folder).outputs_of(_STORE_STEP)
    if _STORE_OUTPUT in outputs:
        place = Path(str(outputs[_STORE_OUTPUT]))
        if (place / "metadata.json").is_file():
            return _store(place, _stamp(place))
    raise NoSuchThingError("The sequences of this run are not here any more.")


@lru_cache(maxsize=_RUNS_KEPT)
def _store(place: Path, _stamp: object) -> SequenceStore:
    return SequenceStore.open(place)


@lru_cache(maxsize=_RUNS_KEPT)
def _read(place: Path, names: tuple[Modality, ...], recipe: str, _stamp: object) -> RunResults:
    folders = [
        ModalityFolders(place / "models" / name, place / "scores" / name, name) for name in names
    ]
    report = report_on(RunInputs(recipe_from_json(recipe), folders))
    return RunResults(
        recipe=report.recipe,
        rows=accuracy_rows(report),
        notes=_notes(report),
        weights=report.ensemble.weights if report.ensemble else {},
        histories=_histories(report, place),
        judged=_judged(report),
    )


def _histories(report: RunReport, place: Path) -> dict[Modality, Sequence[Mapping[str, float]]]:
    """The numbers of each epoch, by modality that was trained."""
    found: dict[Modality, Sequence[Mapping[str, float]]] = {}
    for name, each in report.modalities.items():
        for row in each.history:
            if not (isinstance(row, dict) and isinstance(row.get("epoch"), int)):
                file = place / "models" / name / "history.jsonl"
                raise InputError("is not the history of a training", file=file, found=row)
        if each.history:
            found[name] = [
                {key: value for key, value in row.items() if _is_number(value)}
                for row in each.history
            ]
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _notes(report: RunReport) -> list[str]:
    notes = [
        f"{name.replace('_', ' ').capitalize()} was not trained in this run: the model was given, "
        f"{origin}."
        for name, origin in report.given.items()
    ]
    if report.ensemble:
        notes.append(f"Ensemble weights: {weights_text(report.ensemble.origin, report.recipe)}.")
    if report.recipe.published is None:
        notes.append(f"{NOTHING_PUBLISHED.capitalize()}.")
    return notes


def _judged(report: RunReport) -> dict[tuple[Subject, Epoch], Judged]:
    """All that was scored: the last epoch before the best, the ensemble before the modalities."""
    found: dict[tuple[Subject, Epoch], Judged] = {}
    ensemble = report.ensemble or EnsembleResult(weights={}, origin="given")
    for epoch in EPOCHS:
        combined = _kept(epoch, ensemble.last, ensemble.best_on_test)
        known = {
            name: scores
            for name, each in report.modalities.items()
            if (scores := _kept(epoch, each.scores_last, each.scores_best)) is not None
        }
        if combined is not None:
            found[ENSEMBLE, epoch] = Judged(ENSEMBLE, epoch, combined)
        for name, scores in joined(known, "modalities").items() if known else ():
            found[name, epoch] = Judged(name, epoch, scores)
    return found


def _kept(epoch: Epoch, last: Scores | None, best: Scores | None) -> Scores | None:
    return last if epoch == "last" else best


def _stamp(place: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when the files do."""
    try:
        paths = sorted(path for path in place.rglob("*") if path.is_file())
        facts = [(path, path.stat()) for path in paths]
    except FileNotFoundError as error:
        raise NoSuchThingError(f"{place} is just being replaced: reload the page.") from error
    return tuple((str(path), each.st_mtime_ns, each.st_size) for path, each in facts)
