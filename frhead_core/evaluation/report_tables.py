"""What the tables of the report say, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from frhead_core.config import MODALITIES, Modality
from frhead_core.evaluation import metrics
from frhead_core.evaluation.cost import Cost, together
from frhead_core.evaluation.scores import Scores
from frhead_core.evaluation.tables import difference_text, published_accuracy, which_text

if TYPE_CHECKING:
    from frhead_core.evaluation.report import RunReport

_CELLS_AS_TABLE = 20
_PAIR_SAMPLES = 12


@dataclass(frozen=True)
class Figures:
    """Accuracy of one kept epoch on the test set, in percent."""

    which: str
    epoch: int | None
    top1: float
    top5: float
    right: str


@dataclass(frozen=True)
class AccuracyRow:
    """A line of the accuracy table: a modality, or the ensemble."""

    name: str
    weight: str
    last: Figures | None
    best: Figures | None
    published: float | None
    difference: str


def accuracy_rows(report: RunReport) -> list[AccuracyRow]:
    """Modalities in their usual order, then the ensemble."""
    weights = report.ensemble.weights if report.ensemble else {}
    rows = [
        _modality_row(report, name, f"{weights[name]:.4g}" if name in weights else "")
        for name in MODALITIES
        if name in report.modalities
    ]
    if report.ensemble:
        last, best = report.ensemble.last, report.ensemble.best_on_test
        combined = _figures(last, "last"), _figures(best, "best_on_test")
        published = published_accuracy(report.recipe, last or best, "ensemble")
        rows.append(_row("ensemble", "", *combined, published))
    return rows


def cost_rows(report: RunReport) -> dict[str, Cost]:
    """What recognising costs, by modality, and all of them one after the other for the ensemble."""
    costs: dict[str, Cost] = {
        name: cost
        for name in MODALITIES
        if name in report.modalities and (cost := report.modalities[name].cost) is not None
    }
    everything = together(costs.values()) if report.ensemble else None
    return costs | ({"ensemble": everything} if everything else {})


def best_text(rows: Sequence[AccuracyRow]) -> str:
    """What the best epoch of this run was chosen on."""
    return which_text(next((row.best.which for row in rows if row.best), "best_on_test"))


def headline(rows: Sequence[AccuracyRow]) -> AccuracyRow | None:
    """The row that the report opens with: the ensemble, or else the best modality."""
    judged = [row for row in rows if row.last or row.best]
    ensemble = [row for row in judged if row.name == "ensemble"]

    def accuracy(row: AccuracyRow) -> float:
        figures = row.last or row.best
        return figures.top1 if figures else 0.0

    return next(iter(ensemble), None) or max(judged, key=accuracy, default=None)


def _modality_row(report: RunReport, name: Modality, weight: str) -> AccuracyRow:
    result = report.modalities[name]
    # With a held-out validation part the model's own metrics are not about the test set.
    known: Mapping[str, Any] = {} if "best_on_validation" in result.metrics else result.metrics
    last = _figures(result.scores_last, "last", known)
    best = _figures(result.scores_best, "best_on_test", known)
    return _row(name, weight, last, best, published_accuracy(report.recipe, None, name))


def _row(
    name: str, weight: str, last: Figures | None, best: Figures | None, published: float | None
) -> AccuracyRow:
    difference = ""
    if published is not None and best is not None and best.which == "best_on_test":
        difference = difference_text(best.top1, published)
    return AccuracyRow(name, weight, last, best, published, difference)


def _figures(
    scores: Scores | None, which: str, metrics_by_epoch: Mapping[str, Any] | None = None
) -> Figures | None:
    """From the scores if there are any, or else from what the model says of itself."""
    if scores is None:
        known = (metrics_by_epoch or {}).get(which)
        return known and Figures(which, known["epoch"], known["top1"], known["top5"], "")
    summary = metrics.summarise(scores.logits, scores.labels)
    return Figures(
        which=scores.metadata.get("which") or which,
        epoch=scores.metadata.get("epoch"),
        top1=summary["top1"],
        top5=summary["top5"],
        right=f"{summary['top1_right']} of {summary['samples']}",
    )


def matrix_context(matrix: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Rows of cells for a small matrix; only the cells that are not empty for a large one."""
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    rows = [
        [_cell(matrix, shares, classes, row, column) for column in range(len(classes))]
        for row in range(len(classes))
    ]
    as_table = len(classes) <= _CELLS_AS_TABLE
    filled = [cell for row in rows for cell in row if cell["count"]]
    return {"as_table": as_table, "rows": rows if as_table else [], "cells": filled}


def _cell(
    matrix: np.ndarray, shares: np.ndarray, classes: Sequence[str], row: int, column: int
) -> dict[str, Any]:
    count, share = int(matrix[row, column]), float(shares[row, column])
    return {
        "row": row,
        "column": column,
        "count": count,
        "share": round(share, 3),
        "title": f"{classes[row]} → {classes[column]}: {count} of {matrix[row].sum()}"
        f" ({100 * share:.1f} %)",
    }


def pair_rows(
    scores: Scores, predictions: np.ndarray, matrix: np.ndarray, count: int
) -> list[dict[str, Any]]:
    """The most confused pairs, each with counts of both directions and names of samples."""
    classes = scores.class_names
    rows = []
    for pair in metrics.most_confused_pairs(matrix, count):
        samples = metrics.samples_of_pair(
            scores.names, predictions, scores.labels, pair.first, pair.second
        )
        rows.append(
            {
                "pair": pair,
                "first": classes[pair.first],
                "second": classes[pair.second],
                "forward": _share_text(pair.forward, pair.forward_share),
                "backward": _share_text(pair.backward, pair.backward_share),
                "recognised": len(samples.true_positives),
                "forward_samples": _some(samples.false_negatives),
                "backward_samples": _some(samples.false_positives),
            }
        )
    return rows


def _share_text(count: int, share: float) -> str:
    return f"{count}" if np.isnan(share) else f"{count} ({share:.0f} %)"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _PAIR_SAMPLES
    return ", ".join(names[:_PAIR_SAMPLES]) + (f" and {more} more" if more > 0 else "")


def per_class_rows(report: RunReport, name: str, subject: Scores) -> dict[str, Any]:
    """Accuracy of every class, of the subject and by modality; None where a class never occurs."""
    columns: dict[str, Scores | None] = {name: subject}
    columns |= {
        modality: report.modalities[modality].scores_last or report.modalities[modality].scores_best
        for modality in MODALITIES
        if modality in report.modalities and modality != name
    }
    matrices = {name: _matrix(scores) for name, scores in columns.items() if scores is not None}
    accuracies = {name: metrics.per_class_accuracy(matrix) for name, matrix in matrices.items()}
    totals = _matrix(subject).sum(axis=1)
    rows = [
        {
            "name": class_name,
            "samples": int(totals[place]),
            "accuracies": [
                None if np.isnan(values[place]) else round(float(values[place]), 1)
                for values in accuracies.values()
            ],
        }
        for place, class_name in enumerate(subject.class_names)
    ]
    return {"columns": list(accuracies), "rows": rows}


def _matrix(scores: Scores) -> np.ndarray:
    predictions = metrics.predicted_classes(scores.logits)
    return metrics.confusion_matrix(predictions, scores.labels, scores.logits.shape[1])
