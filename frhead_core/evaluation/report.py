"""The report of a run: one HTML file that needs nothing else, neither a network nor other files.

Equal input gives equal bytes. Whatever a part of the run did not produce is left out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from frhead_core.config import MODALITIES, Modality, Recipe, recipe_to_yaml
from frhead_core.data.recordings import Quarantined
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.evaluation import charts, metrics, report_tables, skeleton_player
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.ensemble import EnsembleResult
from frhead_core.evaluation.pages import TEMPLATES, render
from frhead_core.evaluation.scores import Scores
from frhead_core.evaluation.tables import NOTHING_PUBLISHED, weights_text, which_text
from frhead_core.files import write_atomically

_PAIRS = 10
_ERRORS_LISTED = 30
_QUARANTINE_LISTED = 200


@dataclass(frozen=True)
class ModalityResult:
    """What training and evaluating one modality produced, as far as it exists.

    Attributes:
        history: One mapping per epoch, as in ``history.jsonl`` of the model.
        metrics: The model's metrics by kept epoch (``last``, ``best_on_test`` or
            ``best_on_validation``): ``epoch`` (1-based), ``top1`` and ``top5`` (percent), ...
        scores_last: Test scores after the last epoch.
        scores_best: Test scores of the best epoch; their metadata say what it is best on.
        cost: What recognising costs.
    """

    history: Sequence[Mapping[str, Any]] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    scores_last: Scores | None = None
    scores_best: Scores | None = None
    cost: Cost | None = None


@dataclass(frozen=True)
class RunReport:
    """All that a report can tell.

    Attributes:
        recipe: The benchmark as it was run.
        modalities: Results by modality.
        ensemble: Their combination.
        preparation: What the preparation steps did, in their order.
        store: The sequences, for the animated skeletons.
        facts: Code version, data fingerprint, seed, versions, ... in reading order.
        given: Origin of the models that were given and not trained, by modality.
    """

    recipe: Recipe
    modalities: Mapping[Modality, ModalityResult]
    ensemble: EnsembleResult | None = None
    preparation: Sequence[StepReport] = ()
    store: SequenceStore | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    given: Mapping[Modality, str] = field(default_factory=dict)


def write_report(output: Path, report: RunReport) -> None:
    """Write the report as one HTML file, atomically.

    Raises:
        InputError: If the file cannot be written.
    """
    write_atomically(output, render("report.html.j2", _context(report)))


def _context(report: RunReport) -> dict[str, Any]:
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    rows = report_tables.accuracy_rows(report)
    return {
        "recipe": report.recipe,
        "recipe_yaml": recipe_to_yaml(report.recipe),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "rows": rows,
        "best_text": report_tables.best_text(rows),
        "headline": report_tables.headline(rows),
        "nothing_published": NOTHING_PUBLISHED,
        "weights_text": (
            weights_text(report.ensemble.origin, report.recipe) if report.ensemble else None
        ),
        "costs": report_tables.cost_rows(report),
        "given": report.given,
        "curves": _curves(report),
        "subject": _subject_context(report),
        "preparation": report.preparation,
        "quarantined": _quarantined(report)[:_QUARANTINE_LISTED],
        "quarantined_count": len(_quarantined(report)),
        "facts": {name: str(value) for name, value in report.facts.items()},
    }


def _curves(report: RunReport) -> dict[str, Any] | None:
    histories = {
        name: report.modalities[name].history
        for name in MODALITIES
        if name in report.modalities and report.modalities[name].history
    }
    if not histories:
        return None
    parts = {str(row.get("evaluated_part", "test")) for rows in histories.values() for row in rows}
    return {
        "modalities": list(histories),
        "loss": Markup(charts.curves(histories, "loss", "loss")),
        "accuracy": Markup(charts.curves(histories, "top1", "top-1 accuracy in percent")),
        "evaluated": " or ".join(sorted(parts)),
        "epochs": max(len(rows) for rows in histories.values()),
    }


def _subject(report: RunReport) -> tuple[str, Scores] | None:
    """The scores that the report looks into: of the ensemble if there is one, of the last epoch."""
    candidates: list[tuple[str, Scores | None]] = []
    if report.ensemble:
        candidates += [
            ("ensemble", report.ensemble.last),
            ("ensemble", report.ensemble.best_on_test),
        ]
    results = [(name, report.modalities[name]) for name in MODALITIES if name in report.modalities]
    candidates += [(name, result.scores_last) for name, result in results]
    candidates += [(name, result.scores_best) for name, result in results]
    return next(((name, scores) for name, scores in candidates if scores is not None), None)


def _subject_context(report: RunReport) -> dict[str, Any] | None:
    subject = _subject(report)
    if subject is None:
        return None
    name, scores = subject
    predictions = metrics.predicted_classes(scores.logits)
    matrix = metrics.confusion_matrix(predictions, scores.labels, scores.logits.shape[1])
    errors = skeleton_player.most_confident_errors(scores, _ERRORS_LISTED)
    return {
        "name": name,
        "which": which_text(scores.metadata.get("which")),
        "samples": len(scores),
        "errors_count": int((predictions != scores.labels).sum()),
        "classes": scores.class_names,
        "matrix": report_tables.matrix_context(matrix, scores.class_names),
        "pairs": report_tables.pair_rows(scores, predictions, matrix, _PAIRS),
        "per_class": report_tables.per_class_rows(report, name, scores),
        "errors": errors,
        "players": _players(report, errors),
    }


def _players(report: RunReport, errors: Sequence[skeleton_player.ConfidentError]) -> list[Any]:
    if report.store is None:
        return []
    return skeleton_player.players(report.store, report.store.layout, errors)


def _quarantined(report: RunReport) -> list[Quarantined]:
    """All recordings left out; a step also reports those of the steps before it."""
    found = {entry for step in report.preparation for entry in step.quarantined}
    return sorted(found, key=lambda entry: (entry.name, entry.file, entry.reason))
