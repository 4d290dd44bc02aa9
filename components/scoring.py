"""Score files of a trained model: one for each epoch that was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from components.artifacts import flat_figures, log_metrics
from frhead_core.evaluation.metrics import confusion_matrix, predicted_classes, summarise
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.evaluation.scores import Scores
from frhead_core.progress import Reporter
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.samples import Part

VALIDATION = "validation_last"


class ConfusionArtifact(Protocol):
    """The part of kfp's classification metrics that is used here."""

    metadata: dict[str, Any]

    @property
    def path(self) -> str:
        """The local place of the artifact's payload."""

    def log_confusion_matrix(
        self, categories: Sequence[str], matrix: Sequence[Sequence[int]]
    ) -> None:
        """Record class names and the matrix, rows being the true classes."""


def score_model(
    model: Path, store: Path, output: Path, reporter: Reporter | None = None
) -> dict[str, Scores]:
    """Score the test part with every kept epoch, and a held-out validation part with the last.

    The files are ``<epoch kept>.npz`` (``last``, ``best_on_test`` or ``best_on_validation``) and
    ``validation_last.npz``; weights of an ensemble may be searched on the latter.

    Args:
        model: Folder of a model.
        store: Folder of the sequence store.
        output: Folder for the score files.
        reporter: Told of the progress.

    Returns:
        The scores by the names of their files.
    """
    artifact = ModelArtifact.open(model)
    wanted: dict[str, tuple[Part, str]] = {
        which: ("test", which) for which in artifact.metadata["metrics"]
    }
    if artifact.recipe.training.hold_out_validation:
        wanted[VALIDATION] = ("validation", "last")
    output.mkdir(parents=True, exist_ok=True)
    scores = {}
    for name, (part, which) in wanted.items():
        scores[name] = evaluate_model(model, store, part=part, which=which, reporter=reporter)
        scores[name].save(output / f"{name}.npz")
    return scores


def figures_of(scores: Mapping[str, Scores]) -> dict[str, float]:
    """Accuracies and losses of several score files, named ``<file>_<figure>``."""
    return flat_figures(
        {name: summarise(each.logits, each.labels) for name, each in scores.items()}
    )


def log_confusion(artifact: ConfusionArtifact, scores: Scores) -> None:
    """Record which class was taken for which."""
    names = scores.class_names
    matrix = confusion_matrix(predicted_classes(scores.logits), scores.labels, len(names))
    artifact.log_confusion_matrix(list(names), matrix.tolist())
    log_metrics(artifact, {})
