"""Folders of score files: which weights of a model are scored, on what, and under which names.

::

    last.npz, best_on_test.npz   the test part, for each epoch that was kept
    validation_last.npz          the validation part, where training held it out
    <name>_classes.csv           for each of them the accuracy of every class,
    <name>_confusion.csv         and which class was taken for which
    cost.json                    parameters, arithmetic and time of recognising
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frhead_core.evaluation.scores import CLASSES_CSV, CONFUSION_CSV, Scores, holds_scores
from frhead_core.evaluation.tables import classes_csv, confusion_csv
from frhead_core.files import replaced_directory
from frhead_core.progress import Reporter
from frhead_core.training.artifact import ModelArtifact

if TYPE_CHECKING:
    from frhead_core.training.samples import Part

VALIDATION = "validation_last"


def score_model(
    model: Path,
    store: Path,
    output: Path,
    *,
    parts: Sequence[Part] = (),
    device: str = "auto",
    reporter: Reporter | None = None,
) -> dict[str, Scores]:
    """Score parts of a benchmark with the weights of a model that were kept.

    Args:
        model: Folder of a model.
        store: Folder of the sequence store.
        output: Folder for the score files; it appears as a whole in the place of an older one, so
            that no file of another model stays in it.
        parts: What to score with every kept epoch. Without: the test part, and the last epoch also
            on the validation part if that was held out, to search ensemble weights on.
        device: ``cpu``, ``cuda``, or ``auto``.
        reporter: Told of the progress.

    Returns:
        The scores by the names of their files.

    Raises:
        InputError: If model or store cannot be used, or ``output`` holds something else.
    """
    from frhead_core.evaluation.predict import evaluate_model, model_cost  # noqa: PLC0415 - torch

    artifact = ModelArtifact.open(model)
    scores = {}
    with replaced_directory(output, holds_scores) as temporary:
        for part, which in _wanted(artifact, parts):
            each = evaluate_model(
                model, store, part=part, which=which, device=device, reporter=reporter
            )
            scores[score_name(part, which)] = each
            _write(each, temporary, score_name(part, which))
        part, which = _wanted(artifact, parts)[0]
        model_cost(model, store, part=part, which=which, device=device).save(temporary)
    return scores


def score_name(part: str, which: str) -> str:
    """The name of a score file, without its suffix."""
    return which if part == "test" else f"{part}_{which}"


def _wanted(artifact: ModelArtifact, parts: Sequence[Part]) -> list[tuple[Part, str]]:
    asked: Sequence[Part] = parts or ("test",)
    wanted = [(part, which) for part in asked for which in artifact.kept_weights()]
    if not parts and artifact.recipe.training.hold_out_validation:
        wanted.append(("validation", "last"))
    return wanted


def _write(scores: Scores, folder: Path, name: str) -> None:
    scores.save(folder / f"{name}.npz")
    (folder / f"{name}{CLASSES_CSV}").write_text(classes_csv(scores), encoding="utf-8")
    (folder / f"{name}{CONFUSION_CSV}").write_text(confusion_csv(scores), encoding="utf-8")
