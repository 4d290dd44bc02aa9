"""The results of a run, gathered from the artifacts of its steps into one folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from frhead_core.errors import InputError
from frhead_core.evaluation.scores import ACCURACIES, ACCURACIES_JSON, holds_scores
from frhead_core.files import replaced_directory

REPORT = "report.html"
PROMOTION_JSON = "promotion.json"
PROMOTION_PAGE = "promotion.html"
REPORTING = "ensemble_modalities"
PROMOTING = "promote_model"
RESULTS_CONTENTS = frozenset(
    {REPORT, ACCURACIES, PROMOTION_JSON, PROMOTION_PAGE, "models", "scores", "preparation"}
)
"""Everything that :func:`collect_results` puts into the folder of results."""


class Outcome(Protocol):
    """The part of a step's outcome that is used here."""

    outputs: dict[str, str]


def collect_results(outcomes: Mapping[str, Outcome], output: Path) -> Path:
    """Copy reports, accuracies, models, scores and the promotion's decision out of the artifacts.

    Copies and not links: results may be moved away and the work directory be deleted.

    Args:
        outcomes: Outcomes of the steps, by step.
        output: The folder to fill; models and scores of earlier runs are replaced.

    Returns:
        ``output``.

    Raises:
        InputError: If the folder cannot be written, or holds something else where models and
            scores go.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        for source, target in _places(outcomes):
            _replace(Path(source), output / target)
        if PROMOTING not in outcomes:
            for name in (PROMOTION_JSON, PROMOTION_PAGE):  # of an earlier run
                (output / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"results cannot be written ({error.strerror})",
            file=error.filename or output,
            hint="Free some space or choose another --output; the same command goes on",
        ) from error
    return output


def read_accuracies(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The accuracies that the run reports, for its record: its results may be moved away."""
    path = Path(outcomes[REPORTING].outputs["ensemble"]) / ACCURACIES_JSON
    if not path.is_file():  # made in an image of an older version
        return {}
    accuracies: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return accuracies


def _places(outcomes: Mapping[str, Outcome]) -> Iterator[tuple[str, str]]:
    ensemble = outcomes[REPORTING].outputs
    yield ensemble["report"], REPORT
    yield f"{ensemble['ensemble']}/{ACCURACIES}", ACCURACIES
    yield ensemble["ensemble"], "scores/ensemble"
    if PROMOTING in outcomes:
        promotion = outcomes[PROMOTING].outputs
        yield promotion["decision"], PROMOTION_JSON
        yield promotion["report"], PROMOTION_PAGE
    for name, outcome in outcomes.items():
        step, _, modality = name.partition("-")
        if step == "train_modality":
            yield outcome.outputs["model"], f"models/{modality}"
        elif step == "evaluate_modality":
            yield outcome.outputs["scores"], f"scores/{modality}"
        elif "report" in outcome.outputs and step not in (REPORTING, PROMOTING):
            yield outcome.outputs["report"], f"preparation/{step}.md"


def _replace(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        with replaced_directory(target, _is_of_a_run) as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _is_of_a_run(folder: Path) -> bool:
    is_model = all((folder / name).is_file() for name in ("metadata.json", "recipe.yaml"))
    return is_model or holds_scores(folder)
