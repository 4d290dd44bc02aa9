"""How right the logits are: top-k accuracy, one fixed K x K confusion matrix, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frhead_core.errors import InputError


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes taken for one another: ``forward`` first as second, ``backward`` second as first.

    The shares are percent of the samples of the class that was misread, nan if it has none.
    """

    first: int
    second: int
    forward: int
    backward: int
    forward_share: float
    backward_share: float

    @property
    def total(self) -> int:
        """Errors in both directions."""
        return self.forward + self.backward


@dataclass(frozen=True)
class PairSamples:
    """Names of the samples that a pair of classes is about, from the view of ``actual``.

    ``true_positives``: of ``actual`` and recognised. ``false_negatives``: of ``actual``, taken for
    ``predicted``. ``false_positives``: of ``predicted``, taken for ``actual``.
    """

    actual: int
    predicted: int
    true_positives: tuple[str, ...]
    false_negatives: tuple[str, ...]
    false_positives: tuple[str, ...]


@dataclass(frozen=True)
class ClassSamples:
    """The samples by which a class is judged, as FR-Head sorts them, and what they were taken for.

    ``true_positives``: rows of the samples of ``label`` that were recognised.
    ``false_negatives``: of those that were taken for another class.
    ``false_positives``: of the samples of another class that were taken for ``label``.
    All are (k,) int64, ascending.
    """

    label: int
    true_positives: np.ndarray
    false_negatives: np.ndarray
    false_positives: np.ndarray


def ranking(logits: np.ndarray) -> np.ndarray:
    """Classes of each sample, (n, K), by ascending logit; equals stay in their order."""
    return np.argsort(logits, axis=1, kind="stable")


def predicted_classes(logits: np.ndarray) -> np.ndarray:
    """(n,) int64: the class ranked last, so that top-1 accuracy and confusion matrix agree."""
    # The first largest from the right is the last of a stable ranking, ten times as fast.
    return np.asarray(logits.shape[1] - 1 - logits[:, ::-1].argmax(axis=1), dtype=np.int64)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax of (n, K) logits, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-likelihood in nats, computed in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sums - shifted[np.arange(len(labels)), labels]))


def top_k_right(logits: np.ndarray, labels: np.ndarray, k: int) -> int:
    """How many samples have their label among the last ``k`` of the ascending stable ranking.

    Args:
        logits: (n, K).
        labels: (n,).
        k: At least 1; K or more counts every sample.
    """
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    # Ranked after the label: what is larger, and of equals what has a higher number.
    behind = np.arange(logits.shape[1]) > labels[:, None]
    after = ((logits > own) | ((logits == own) & behind)).sum(axis=1)
    return int((after < k).sum())


def top_k_accuracy(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    """:func:`top_k_right` in percent of the samples; nan without samples."""
    return 100.0 * top_k_right(logits, labels, k) / len(labels) if len(labels) else float("nan")


def summarise(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The usual figures of (n, K) logits.

    Returns:
        ``samples``, ``top1_right`` and ``top5_right`` (counts), ``top1`` and ``top5`` (percent),
        ``loss`` (mean cross-entropy in nats).
    """
    return {
        "samples": len(labels),
        "top1_right": top_k_right(logits, labels, 1),
        "top5_right": top_k_right(logits, labels, 5),
        "top1": top_k_accuracy(logits, labels, 1),
        "top5": top_k_accuracy(logits, labels, 5),
        "loss": cross_entropy(logits, labels),
    }


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) int64 counts; row = true class, column = predicted class, also where none occurs.

    Raises:
        InputError: If a prediction or a label is no class.
    """
    for name, values in (("predictions", predictions), ("labels", labels)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise InputError(
                "not a class",
                field=name,
                found=f"{values.min()} to {values.max()}",
                expected=f"0 to {classes - 1}",
            )
    cells = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def per_class_accuracy(matrix: np.ndarray) -> np.ndarray:
    """(K,) percent of each class's samples that were recognised; nan for a class without any."""
    totals = matrix.sum(axis=1)
    accuracies = np.full(len(matrix), np.nan)
    np.divide(100.0 * np.diag(matrix), totals, out=accuracies, where=totals > 0)
    return accuracies


def most_confused_pairs(matrix: np.ndarray, count: int) -> list[ConfusedPair]:
    """The pairs of classes with most errors in both directions together, worst first.

    Equals are in the order of the classes; pairs without errors are left out. ``first`` is the
    class that is misread more often.
    """
    both = np.triu(matrix + matrix.T, k=1)
    order = np.argsort(-both, axis=None, kind="stable")[:count]
    return [
        _confused_pair(matrix, *divmod(int(place), len(matrix)))
        for place in order
        if both.flat[place] > 0
    ]


def _confused_pair(matrix: np.ndarray, first: int, second: int) -> ConfusedPair:
    if matrix[second, first] > matrix[first, second]:
        first, second = second, first
    totals = matrix.sum(axis=1)
    forward, backward = int(matrix[first, second]), int(matrix[second, first])
    return ConfusedPair(
        first=first,
        second=second,
        forward=forward,
        backward=backward,
        forward_share=_percent(forward, int(totals[first])),
        backward_share=_percent(backward, int(totals[second])),
    )


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else float("nan")


def samples_of_class(predictions: np.ndarray, labels: np.ndarray, label: int) -> ClassSamples:
    """Sort the samples that are of a class or were taken for it, (n,) predictions and labels."""
    actual, predicted = labels == label, predictions == label
    return ClassSamples(
        label=label,
        true_positives=np.flatnonzero(actual & predicted),
        false_negatives=np.flatnonzero(actual & ~predicted),
        false_positives=np.flatnonzero(~actual & predicted),
    )


def samples_of_pair(
    names: Sequence[str],
    predictions: np.ndarray,
    labels: np.ndarray,
    actual: int,
    predicted: int,
) -> PairSamples:
    """Which samples were recognised and which were taken for the other class, in order of names."""

    def chosen(label: int, prediction: int) -> tuple[str, ...]:
        rows = np.flatnonzero((labels == label) & (predictions == prediction))
        return tuple(sorted(names[int(row)] for row in rows))

    return PairSamples(
        actual=actual,
        predicted=predicted,
        true_positives=chosen(actual, actual),
        false_negatives=chosen(actual, predicted),
        false_positives=chosen(predicted, actual),
    )
