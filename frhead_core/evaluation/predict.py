"""The scores of a trained model on a part of a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frhead_core.data.store import SequenceStore
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.cost_measurement import measure_cost
from frhead_core.evaluation.part_scorer import PartScorer
from frhead_core.evaluation.scores import Scores
from frhead_core.progress import Reporter, reporting
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.device import choose_device
from frhead_core.training.samples import Part


def evaluate_model(
    model_directory: Path,
    store_directory: Path,
    *,
    part: Part,
    which: str = "last",
    device: str = "auto",
    reporter: Reporter | None = None,
) -> Scores:
    """Score a trained model on a part of its benchmark.

    Args:
        model_directory: A model artifact.
        store_directory: A sequence store that holds the model's benchmark.
        part: Part of the benchmark's split.
        which: ``last``, ``best_on_test`` or ``best_on_validation``, as far as the model has them.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        reporter: Told of the progress.

    Raises:
        InputError: If the model or the store cannot be read, or they do not fit each other.
    """
    reporter = reporter or Reporter()
    artifact = ModelArtifact.open(model_directory)
    store = SequenceStore.open(store_directory)
    recipe = artifact.recipe
    chosen = choose_device(device)
    scorer = PartScorer(store, recipe, artifact.modality, part)
    title = f"evaluate {artifact.modality} {which} on {part}"
    with reporting(reporter, title, len(scorer), "samples"):
        logits = scorer.scores(
            artifact.load(which).to(chosen),
            device=chosen,
            precision=recipe.training.precision,
            reporter=reporter,
        )
    return _scores(artifact, store, scorer, logits, part, which)


def model_cost(
    model_directory: Path,
    store_directory: Path,
    *,
    part: Part,
    which: str = "last",
    device: str = "auto",
) -> Cost:
    """What recognising costs a trained model, measured on the first batch of a part.

    The arguments are those of :func:`evaluate_model`.
    """
    artifact = ModelArtifact.open(model_directory)
    store = SequenceStore.open(store_directory)
    return measure_cost(
        artifact.load(which).to(choose_device(device)),
        PartScorer(store, artifact.recipe, artifact.modality, part).first_batch(),
        artifact.recipe.training.precision,
    )


def _scores(
    artifact: ModelArtifact,
    store: SequenceStore,
    scorer: PartScorer,
    logits: np.ndarray,
    part: Part,
    which: str,
) -> Scores:
    recipe = artifact.recipe
    figures = artifact.metadata["metrics"].get(which, {})
    return Scores(
        names=scorer.names,
        logits=logits,
        labels=scorer.labels,
        parts=(part,) * len(scorer),
        seen_in_training=_seen_in_training(artifact, scorer.names, part),
        metadata={
            "benchmark": recipe.name,
            "modality": artifact.modality,
            "backbone": recipe.model.backbone,
            "which": which,
            "epoch": figures.get("epoch"),
            "classes": list(scorer.class_names),
            "model": artifact.fingerprint(which),
            "data_fingerprint": store.metadata.data_fingerprint,
        },
    )


def _seen_in_training(artifact: ModelArtifact, names: tuple[str, ...], part: Part) -> np.ndarray:
    """Whether the model was trained on each sample, (n,) bool.

    Where nobody recorded what a model was trained on, only the test part counts as unseen.
    """
    trained_on = artifact.training_samples()
    if trained_on is None:
        return np.full(len(names), part != "test")
    return np.array([name in trained_on for name in names], dtype=bool)
