"""Scores as the metrics artifacts of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from components.artifacts import flat_figures, log_metrics
from frhead_core.evaluation.metrics import confusion_matrix, predicted_classes, summarise
from frhead_core.evaluation.scores import Scores


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
