"""The pages of results: accuracies, what was confused with what, and single samples."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from frhead_core.errors import FRHeadError
from frhead_core.evaluation import report_tables
from frhead_core.evaluation.tables import modality_text, which_text
from pipeline.console.dependencies import Folder
from pipeline.console.failures import NoSuchThingError
from pipeline.console.line_chart import epoch_chart
from pipeline.console.pages import page
from pipeline.console.results import ENSEMBLE, Judged, RunResults, open_store, results_place
from pipeline.console.results_tables import (
    class_groups,
    class_lines,
    confused_pairs,
    occurring,
    pair_groups,
    verdicts,
)
from pipeline.console.routes.results_api import Chosen, Label, Opened, Sample, checked_label
from pipeline.results import REPORT
from pipeline.run_folder import RunFolder

PAIRS = 20
SAMPLES_LISTED = 100
CLASSES_AS_TABLE = 20
COMPUTED_IN_BROWSER = 16 * 2**20
"""Logits up to so many bytes are sent to the browser, which then weighs modalities itself."""

router = APIRouter(prefix="/runs/{name}/results", include_in_schema=False)


@router.get("")
def show(request: Request, folder: Folder, results: Opened, judged: Chosen) -> Response:
    """Accuracies, ensemble weights, confusion matrix, confused pairs, classes, curves."""
    everyone = results.of_epoch(judged.epoch)
    context = {
        "rows": results.rows,
        "best_text": report_tables.best_text(results.rows),
        "notes": results.notes,
        "choices": _choices(results),
        "weighing": _weighing(results, judged),
        "matrix": _matrix(judged),
        "pairs": confused_pairs(judged, PAIRS),
        "class_columns": list(everyone),
        "class_lines": class_lines(everyone),
        "charts": _charts(results),
        "histories": results.histories,
        "has_report": (results_place(folder) / REPORT).is_file(),
    }
    return page(request, "results.html", _shared(folder, results, judged) | context)


@router.get("/pair")
def show_pair(
    request: Request,
    folder: Folder,
    results: Opened,
    judged: Chosen,
    actual: Label,
    predicted: Label,
) -> Response:
    """A pair of classes: which samples were recognised, and which were taken for the other."""
    checked_label(judged, actual)
    checked_label(judged, predicted)
    totals = judged.matrix.sum(axis=1)
    context = {
        "actual": actual,
        "predicted": predicted,
        "sides": [
            (label, pair_groups(judged, label, other), int(totals[label]))
            for label, other in ((actual, predicted), (predicted, actual))
        ],
    }
    return page(request, "results_pair.html", _shared(folder, results, judged) | context)


@router.get("/class")
def show_class(
    request: Request, folder: Folder, results: Opened, judged: Chosen, label: Label
) -> Response:
    """The samples by which a class is judged."""
    groups = class_groups(judged, checked_label(judged, label))
    context = {"label": label, "groups": groups}
    return page(request, "results_class.html", _shared(folder, results, judged) | context)


@router.get("/sample")
def show_sample(
    request: Request,
    folder: Folder,
    results: Opened,
    judged: Chosen,
    sample: Sample,
    beside: Sample | None = None,
) -> Response:
    """A sample: its skeleton, and what each modality and the ensemble said of it."""
    row = judged.row(sample)
    actual, predicted = int(judged.scores.labels[row]), int(judged.predictions[row])
    others = {label: _recognised(judged, label, sample) for label in (actual, predicted)}
    context = {
        "sample": sample,
        "actual": actual,
        "predicted": predicted,
        "verdicts": verdicts(results.of_epoch(judged.epoch), sample),
        "beside": beside,
        "beside_label": beside and int(judged.scores.labels[judged.row(beside)]),
        "others": {label: name for label, name in others.items() if name},
        "missing": _why_no_sequences(folder),
    }
    return page(request, "results_sample.html", _shared(folder, results, judged) | context)


@router.get("/report")
def send_report(folder: Folder) -> Response:
    """The report of the run, one file that needs nothing else, to keep."""
    path = results_place(folder) / REPORT
    if not path.is_file():
        raise NoSuchThingError(f"The run {folder.name} has no report.")
    return FileResponse(path, media_type="text/html", filename=f"{folder.name}-{REPORT}")


def _shared(folder: RunFolder, results: RunResults, judged: Judged) -> dict[str, Any]:
    return {
        "run": folder.name,
        "title": results.recipe.title or results.recipe.name,
        "judged": judged,
        "subject_text": modality_text(judged.subject),
        "epoch_text": _epoch_text(judged),
        "classes": judged.scores.class_names,
        "one_shot": bool(results.recipe.split.anchors),
        "most": SAMPLES_LISTED,
    }


def _epoch_text(judged: Judged) -> str:
    return which_text(judged.scores.metadata.get("which") or judged.epoch)


def _choices(results: RunResults) -> dict[str, list[Judged]]:
    """What can be looked into, by the text of the epoch."""
    choices: dict[str, list[Judged]] = {}
    for judged in results.judged.values():
        choices.setdefault(_epoch_text(judged), []).append(judged)
    return choices


def _weighing(results: RunResults, judged: Judged) -> dict[str, Any] | None:
    """What the sliders begin with; None without an ensemble of that epoch."""
    everyone = results.of_epoch(judged.epoch)
    if ENSEMBLE not in everyone:
        return None
    shape = everyone[ENSEMBLE].scores.logits.shape
    size = 4 * shape[0] * shape[1] * len(results.weights)
    figures = results.reweighted(judged.epoch, results.weights)
    return {
        "weights": results.weights,
        "largest": max(1.0, *results.weights.values()),
        "samples": shape[0],
        "classes": shape[1],
        "in_browser": size <= COMPUTED_IN_BROWSER,
        "figures": figures,
    }


def _matrix(judged: Judged) -> dict[str, Any]:
    """Cells of the classes that occur, as a table if they are few."""
    labels = occurring([judged])
    totals = judged.matrix.sum(axis=1)
    rows = [
        (
            label,
            [
                (
                    other,
                    int(judged.matrix[label, other]),
                    _tenth(judged.matrix[label, other], total),
                )
                for other in labels
            ],
        )
        for label, total in ((label, totals[label]) for label in labels)
    ]
    few = len(labels) <= CLASSES_AS_TABLE
    errors = int(totals.sum() - judged.matrix.trace())
    return {
        "labels": labels,
        "rows": rows if few else None,
        "left_out": len(judged.matrix) - len(labels),
        "errors": errors,
        "samples": int(totals.sum()),
    }


def _tenth(count: int, total: int) -> int:
    """The share of a cell in its row in tenths, at least one where there is anything."""
    return int(-(-10 * count // total)) if count else 0


def _charts(results: RunResults) -> list[tuple[str, Any]]:
    charts = (
        ("Loss", epoch_chart(results.histories, "loss", may_be_logarithmic=True)),
        ("Top-1 accuracy, percent", epoch_chart(results.histories, "top1")),
    )
    return [(title, chart) for title, chart in charts if chart is not None]


def _recognised(judged: Judged, label: int, sample: str) -> str | None:
    """The most confidently recognised sample of a class, but for the one that is looked at."""
    lines = class_groups(judged, label).true_positives
    return next((line.sample for line in lines if line.sample != sample), None)


def _why_no_sequences(folder: RunFolder) -> str | None:
    try:
        open_store(folder)
    except FRHeadError as error:  # all the rest of the page is there without them
        return str(error)
    return None
