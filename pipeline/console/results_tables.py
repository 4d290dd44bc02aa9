"""What the pages of results list: confused pairs, classes, samples, and what was said of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from frhead_core.evaluation import metrics
from pipeline.console.results import Judged, Subject

_TOP = 5


@dataclass(frozen=True)
class Pair:
    """Two actions taken for one another, counted in both directions.

    Attributes:
        first: Class that is misread more often.
        second: What it is taken for.
        forward: Samples of ``first`` taken for ``second``.
        forward_share: That in percent of the samples of ``first``; None if it has none.
        backward: Samples of ``second`` taken for ``first``.
        backward_share: That in percent of the samples of ``second``; None if it has none.
    """

    first: int
    second: int
    forward: int
    forward_share: float | None
    backward: int
    backward_share: float | None


@dataclass(frozen=True)
class SampleLine:
    """One sample and what it was taken for, with the probability in percent."""

    sample: str
    actual: int
    predicted: int
    probability: float


@dataclass(frozen=True)
class SampleGroups:
    """Samples of a class, or of a pair of classes, the most confident first.

    ``true_positives``: of the class and recognised. ``false_negatives``: of the class, taken for
    another (of a pair: for the other one). ``false_positives``: of another class (of a pair: of the
    other one), taken for this one.
    """

    true_positives: list[SampleLine]
    false_negatives: list[SampleLine]
    false_positives: list[SampleLine]


@dataclass(frozen=True)
class ClassLine:
    """Accuracy of a class in percent, by subject; None where it has no samples."""

    label: int
    samples: int
    accuracies: Mapping[Subject, float | None]


@dataclass(frozen=True)
class Opinion:
    """A class and its probability in percent."""

    label: int
    probability: float


@dataclass(frozen=True)
class Verdict:
    """What a model said of a sample: its classes, the most probable first."""

    subject: Subject
    right: bool
    opinions: list[Opinion]


def confused_pairs(judged: Judged, count: int) -> list[Pair]:
    """The pairs of actions with most errors in both directions together, worst first."""
    return [
        Pair(
            pair.first,
            pair.second,
            pair.forward,
            _known(pair.forward_share),
            pair.backward,
            _known(pair.backward_share),
        )
        for pair in metrics.most_confused_pairs(judged.matrix, count)
    ]


def class_lines(everyone: Mapping[Subject, Judged]) -> list[ClassLine]:
    """Accuracy of every class that has samples or was predicted, by subject."""
    accuracies = {name: metrics.per_class_accuracy(each.matrix) for name, each in everyone.items()}
    totals = next(iter(everyone.values())).matrix.sum(axis=1)
    return [
        ClassLine(
            int(label),
            int(totals[label]),
            {name: _known(values[label]) for name, values in accuracies.items()},
        )
        for label in occurring(everyone.values())
    ]


def occurring(everyone: Iterable[Judged]) -> list[int]:
    """The classes that have samples or were predicted: with 60 classes, ten may be in the data."""
    matrix = np.sum([each.matrix for each in everyone], axis=0)
    return np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1)).tolist()


def class_groups(judged: Judged, label: int) -> SampleGroups:
    """The samples by which a class is judged."""
    samples = metrics.samples_of_class(judged.predictions, judged.scores.labels, label)
    return SampleGroups(
        _lines(judged, samples.true_positives),
        _lines(judged, samples.false_negatives),
        _lines(judged, samples.false_positives),
    )


def pair_groups(judged: Judged, label: int, other: int) -> SampleGroups:
    """The samples of a class and another that are about the two of them."""
    samples = metrics.samples_of_class(judged.predictions, judged.scores.labels, label)
    missed, wrongly = samples.false_negatives, samples.false_positives
    return SampleGroups(
        _lines(judged, samples.true_positives),
        _lines(judged, missed[judged.predictions[missed] == other]),
        _lines(judged, wrongly[judged.scores.labels[wrongly] == other]),
    )


def verdicts(everyone: Mapping[Subject, Judged], sample: str) -> list[Verdict]:
    """What each model and the ensemble said of a sample."""
    return [_verdict(each, each.row(sample)) for each in everyone.values()]


def _verdict(judged: Judged, row: int) -> Verdict:
    logits = judged.scores.logits[row : row + 1]
    chances = 100 * metrics.probabilities(logits)[0]
    order = metrics.ranking(logits)[0][::-1][:_TOP].tolist()
    return Verdict(
        judged.subject,
        order[0] == int(judged.scores.labels[row]),
        [Opinion(label, float(chances[label])) for label in order],
    )


def _lines(judged: Judged, rows: np.ndarray) -> list[SampleLine]:
    if not rows.size:
        return []
    scores, predictions = judged.scores, judged.predictions[rows]
    chances = metrics.probabilities(scores.logits[rows])[np.arange(len(rows)), predictions]
    lines = [
        SampleLine(scores.names[row], int(scores.labels[row]), predicted, 100 * chance)
        for row, predicted, chance in zip(
            rows.tolist(), predictions.tolist(), chances.tolist(), strict=True
        )
    ]
    return sorted(lines, key=lambda line: (-line.probability, line.sample))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
