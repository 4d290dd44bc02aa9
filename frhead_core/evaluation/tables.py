"""The accuracy table as plain text, the same on a terminal, in a log and in a pipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from frhead_core.config import MODALITIES, Modality, Recipe
from frhead_core.evaluation.ensemble import EnsembleResult, WeightsOrigin
from frhead_core.evaluation.metrics import (
    confusion_matrix,
    per_class_accuracy,
    predicted_classes,
    summarise,
)
from frhead_core.evaluation.scores import Scores

WHICH_TEXT = {
    "last": "last epoch",
    "best_on_test": "best epoch on test",
    "best_on_validation": "best epoch on validation",
}
"""What the epochs that are kept are called in front of people."""

NOTHING_PUBLISHED = "there is no published figure to compare with"

_HEADER = ("modality", "weight", "top-1", "right", "top-5", "published", "difference", "epoch")


def modality_text(modality: str) -> str:
    """The name of a modality (or of the ensemble) in front of people."""
    return modality.replace("_", " ")


def which_text(which: str | None) -> str:
    """What an epoch that was kept is called in front of people."""
    return WHICH_TEXT.get(which, which) if which else "not stated"


def weights_text(origin: WeightsOrigin, recipe: Recipe) -> str:
    """Where the weights of an ensemble come from, in front of people."""
    if origin == "searched":
        return "searched on held-out samples"
    if origin == "given":
        return "as given"
    if recipe.ensemble is None:
        return "equal, because the recipe has none"
    if recipe.published is None:
        return "the recipe's"
    return "the benchmark's, as the authors published them (presumably chosen on test)"


def accuracy_table(
    scores: Mapping[Modality, Scores],
    recipe: Recipe,
    ensemble: EnsembleResult | None = None,
) -> str:
    """One line a modality and one for each ensemble, accuracies in percent.

    Published figures are those of the epoch that is best on the test set, so the difference is
    given for scores of that epoch only.

    Args:
        scores: By modality.
        recipe: The benchmark, for the published figures.
        ensemble: Their combination.
    """
    weights = ensemble.weights if ensemble else {}
    rows = [
        _row(modality, scores[modality], recipe, f"{weights[modality]:.4g}" if weights else "")
        for modality in MODALITIES
        if modality in scores
    ]
    if ensemble:
        combined = (ensemble.last, ensemble.best_on_test)
        rows += [_row("ensemble", each, recipe, "") for each in combined if each is not None]
    lines = aligned([_HEADER, *rows])
    if ensemble:
        lines.append(f"ensemble weights: {weights_text(ensemble.origin, recipe)}")
    if recipe.published is None:
        lines.append(NOTHING_PUBLISHED)
    return f"{recipe.title}: top-1 and top-5 accuracy in percent\n" + "\n".join(lines)


def class_table(scores: Scores) -> str:
    """One line a class: samples, accuracy in percent, and what it is most often taken for."""
    matrix = _matrix(scores)
    names = scores.class_names
    rows = [
        (
            names[place],
            f"{matrix[place, place]} of {matrix[place].sum()}",
            "" if np.isnan(accuracy) else f"{accuracy:.2f}",
            _most_often_taken_for(matrix[place], place, names),
        )
        for place, accuracy in enumerate(per_class_accuracy(matrix))
    ]
    return "\n".join(aligned([("class", "right", "accuracy", "most often taken for"), *rows]))


def classes_csv(scores: Scores) -> str:
    """Accuracy of every class in percent, as CSV; empty for a class without samples."""
    matrix = _matrix(scores)
    rows = [
        (name, row.sum(), row[place], "" if np.isnan(accuracy) else f"{accuracy:.4f}")
        for place, (name, row, accuracy) in enumerate(
            zip(scores.class_names, matrix, per_class_accuracy(matrix), strict=True)
        )
    ]
    return csv_text([("class", "samples", "right", "accuracy"), *rows])


def confusion_csv(scores: Scores) -> str:
    """The confusion matrix as CSV: a row for each true class, a column for each predicted one."""
    names = scores.class_names
    rows = [(name, *row) for name, row in zip(names, _matrix(scores).tolist(), strict=True)]
    return csv_text([("true class", *names), *rows])


def _matrix(scores: Scores) -> np.ndarray:
    predictions = predicted_classes(scores.logits)
    return confusion_matrix(predictions, scores.labels, scores.logits.shape[1])


def _most_often_taken_for(row: np.ndarray, actual: int, names: Sequence[str]) -> str:
    errors = row.copy()
    errors[actual] = 0
    worst = int(errors.argmax())
    return f"{names[worst]} ({errors[worst]})" if errors[worst] else ""


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, the same on every system."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def published_accuracy(recipe: Recipe, scores: Scores | None, name: str) -> float | None:
    """The published top-1 accuracy in percent that scores can be held against, if there is one.

    An ensemble of fewer than all four modalities has none, nor have scores of another part than
    the test part, or of another backbone than the recipe's.
    """
    if recipe.published is None or (scores and set(scores.parts) != {"test"}):
        return None
    if scores and scores.metadata.get("backbone") not in (None, recipe.model.backbone):
        return None
    if name == "ensemble" and scores and len(scores.metadata["weights"]) < len(MODALITIES):
        return None
    return float(getattr(recipe.published, name))


def difference_text(top1: float, published: float) -> str:
    """What is measured minus what is published, in percentage points of two decimals."""
    return f"{round(round(top1, 2) - published, 2) + 0.0:+.2f}"


def _row(name: str, scores: Scores, recipe: Recipe, weight: str) -> tuple[str, ...]:
    summary = summarise(scores.logits, scores.labels)
    published = published_accuracy(recipe, scores, name)
    parts = " and ".join(sorted(set(scores.parts)))
    which = scores.metadata.get("which")
    difference = ""
    if published is not None and which == "best_on_test":
        difference = difference_text(summary["top1"], published)
    return (
        modality_text(name),
        weight,
        f"{summary['top1']:.2f}",
        f"{summary['top1_right']} of {summary['samples']}",
        f"{summary['top5']:.2f}",
        "" if published is None else f"{published:.2f}",
        difference,
        which_text(which) + ("" if parts == "test" else f", {parts} part"),
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width; text to the left in the first and last, to the right between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            text.ljust(width) if place in (0, last) else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
