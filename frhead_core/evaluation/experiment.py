"""Many runs as one table: variants of a recipe, each trained with several seeds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frhead_core.config import MODALITIES, PublishedAccuracy
from frhead_core.errors import InputError
from frhead_core.evaluation.compare import Comparison, Seed, Spread, compare, spread
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.metrics import top_k_right
from frhead_core.evaluation.score_files import VALIDATION
from frhead_core.evaluation.scores import Scores

# What there is to choose by comes first, and what was chosen on the test set last.
_WHICH = (VALIDATION, "last", "best_on_validation", "best_on_test")
_MODELS = (*MODALITIES, "ensemble")
_SCORES = "scores"


@dataclass(frozen=True)
class Accuracy:
    """How many of some samples were recognised."""

    right: int
    samples: int

    @property
    def percent(self) -> float:
        """Top-1 accuracy."""
        return 100 * self.right / self.samples


@dataclass(frozen=True)
class Trial:
    """One variant, trained with one seed.

    Attributes:
        variant: Its name.
        seed: Of everything random.
        results: Folder of the run's results; None if the run failed.
        error: Why it failed.
        accuracies: By model (a modality, or ``ensemble``) and name of the score file.
        costs: What recognising costs, by modality.
    """

    variant: str
    seed: int
    results: Path | None = None
    error: str | None = None
    accuracies: Mapping[tuple[str, str], Accuracy] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)

    @classmethod
    def read(cls, variant: str, seed: int, results: Path) -> Trial:
        """A trial from the results of its run.

        Raises:
            InputError: If a file of them cannot be read.
        """
        accuracies, costs = {}, {}
        for folder in sorted((results / _SCORES).iterdir()):
            for file in sorted(folder.glob("*.npz")):
                scores = Scores.load(file)
                right = top_k_right(scores.logits, scores.labels, 1)
                accuracies[folder.name, file.stem] = Accuracy(right, len(scores))
            if (cost := Cost.load(folder)) is not None:
                costs[folder.name] = cost
        return cls(variant, seed, results, None, accuracies, costs)

    def scores(self, model: str, which: str) -> Scores:
        """The scores of a model, read again: those of many trials do not fit into memory."""
        assert self.results is not None
        return Scores.load(self.results / _SCORES / model / f"{which}.npz")


@dataclass(frozen=True)
class Experiment:
    """What was run, and what came of it.

    Attributes:
        title: One line for people.
        benchmark: Name of the benchmark.
        variants: Settings that differ from the recipe, by the variants' names.
        seeds: Each variant is trained with each of them.
        baseline: The variant that the others are compared with; None compares none.
        trials: Those that have ended, in their order.
        published: Published accuracies, if the variants are the published model.
        facts: What was the same in all of them, in reading order.
    """

    title: str
    benchmark: str
    variants: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    baseline: str | None
    trials: Sequence[Trial]
    published: PublishedAccuracy | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def failures(self) -> list[Trial]:
        """The trials that failed."""
        return [trial for trial in self.trials if trial.error is not None]

    @property
    def held_out(self) -> bool:
        """Whether there are figures to choose by that are not about the test set."""
        return any(which == VALIDATION for trial in self.trials for _, which in trial.accuracies)

    def trials_of(self, variant: str) -> dict[int, Trial]:
        """The finished trials of a variant, by seed."""
        return {
            trial.seed: trial
            for trial in self.trials
            if trial.variant == variant and trial.error is None
        }


@dataclass(frozen=True)
class Row:
    """A line of a table: a variant, or a model of the only variant.

    Attributes:
        variant: Its name.
        model: The modality, or ``ensemble``.
        accuracies: In percent, in the order of the seeds; None where the run failed.
        spread: Of those that there are.
        comparison: With the baseline, over the seeds that both have.
        incomparable: Why there is none, where there could have been.
        published: The published accuracy in percent that it compares with.
    """

    variant: str
    model: str
    accuracies: tuple[float | None, ...]
    spread: Spread | None
    comparison: Comparison | None = None
    incomparable: str | None = None
    published: float | None = None

    @property
    def values(self) -> list[float]:
        """The accuracies that there are."""
        return [value for value in self.accuracies if value is not None]


@dataclass(frozen=True)
class Block:
    """A table of one kind of figure.

    Attributes:
        which: Name of the score file.
        model: What it is about; None if the rows are the models of the only variant.
        rows: Its lines.
        baseline: Mean accuracy of the baseline.
    """

    which: str
    model: str | None
    rows: tuple[Row, ...]
    baseline: float | None = None


def blocks(experiment: Experiment) -> list[Block]:
    """The tables of an experiment.

    With one variant a line for each model, with several a table for each model and a line for each
    variant, compared with the baseline.
    """
    found = {key for trial in experiment.trials for key in trial.accuracies}
    by_which = {
        which: [model for model in _MODELS if (model, which) in found]
        for which in _WHICH
        if any(kind == which for _, kind in found)
    }
    if len(experiment.variants) == 1:
        (variant,) = experiment.variants
        return [
            Block(which, None, tuple(_row(experiment, variant, model, which) for model in models))
            for which, models in by_which.items()
        ]
    return [
        _compared(experiment, model, which)
        for which, models in by_which.items()
        for model in models
    ]


def costs(experiment: Experiment) -> dict[tuple[str, str], Cost]:
    """What recognising costs, by variant and modality; times are medians over the seeds."""
    return {
        (variant, model): _median_cost(every)
        for variant in experiment.variants
        for model in MODALITIES
        if (
            every := [
                trial.costs[model]
                for trial in experiment.trials_of(variant).values()
                if model in trial.costs
            ]
        )
    }


def _median_cost(every: Sequence[Cost]) -> Cost:
    return dataclasses.replace(
        every[0],
        latency_ms=statistics.median(each.latency_ms for each in every),
        samples_per_second=statistics.median(each.samples_per_second for each in every),
    )


def _row(experiment: Experiment, variant: str, model: str, which: str) -> Row:
    trials = experiment.trials_of(variant)
    accuracies = tuple(
        trials[seed].accuracies[model, which].percent
        if seed in trials and (model, which) in trials[seed].accuracies
        else None
        for seed in experiment.seeds
    )
    values = [value for value in accuracies if value is not None]
    return Row(
        variant=variant,
        model=model,
        accuracies=accuracies,
        spread=spread(values) if values else None,
        published=_published(experiment, model, which),
    )


def _published(experiment: Experiment, model: str, which: str) -> float | None:
    """Published figures are those of the epoch that is best on the test set."""
    if experiment.published is None or which != "best_on_test":
        return None
    trained = {name for trial in experiment.trials for name, _ in trial.accuracies}
    if model == "ensemble" and not trained.issuperset(MODALITIES):
        return None
    return float(getattr(experiment.published, model))


def _compared(experiment: Experiment, model: str, which: str) -> Block:
    rows = [_row(experiment, variant, model, which) for variant in experiment.variants]
    baseline = next((row for row in rows if row.variant == experiment.baseline), None)
    return Block(
        which=which,
        model=model,
        rows=tuple(_with_comparison(experiment, baseline, row, which) for row in rows),
        baseline=baseline.spread.mean if baseline and baseline.spread else None,
    )


def _with_comparison(experiment: Experiment, baseline: Row | None, row: Row, which: str) -> Row:
    if baseline is None or baseline.variant == row.variant:
        return row
    pairs = list(_pairs(experiment, baseline.variant, row.variant, (row.model, which)))
    if not pairs:
        return row
    first: dict[Seed, Scores] = {}
    second: dict[Seed, Scores] = {}
    for seed, one, other in pairs:
        first[seed], second[seed] = one.scores(row.model, which), other.scores(row.model, which)
    try:
        comparison = compare(first, second, (baseline.variant, row.variant))
    except InputError as error:  # variants may well differ in what they are tested on
        return dataclasses.replace(row, incomparable=str(error))
    return dataclasses.replace(row, comparison=comparison)


def _pairs(
    experiment: Experiment, first: str, second: str, figure: tuple[str, str]
) -> Iterator[tuple[int, Trial, Trial]]:
    """The trials of two variants that both have a figure, by the seeds that both have."""
    ours, theirs = experiment.trials_of(first), experiment.trials_of(second)
    for seed in experiment.seeds:
        one, other = ours.get(seed), theirs.get(seed)
        if one and other and figure in one.accuracies and figure in other.accuracies:
            yield seed, one, other
