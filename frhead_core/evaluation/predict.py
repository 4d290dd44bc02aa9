"""Logits of samples, and the scores of a trained model on a part of a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from frhead_core.config import Precision, Recipe
from frhead_core.data.loader import SampleBatches
from frhead_core.data.store import SequenceStore
from frhead_core.evaluation.scores import Scores
from frhead_core.progress import Reporter
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.device import choose_device
from frhead_core.training.samples import Part, evaluation_batches, part_rows, sample_names


@torch.inference_mode()
def score_samples(
    model: nn.Module,
    batches: SampleBatches,
    *,
    device: torch.device,
    precision: Precision = "float32",
    reporter: Reporter | None = None,
) -> np.ndarray:
    """Logits of every sample of ``batches``, in their order.

    The model is put into evaluation mode and back into the mode it was in.

    Returns:
        (n, K) float32.
    """
    was_training = model.training
    model.eval()
    logits = []
    for batch in batches.epoch():
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = model(batch.coordinates.to(device))
        logits.append(output.float().cpu().numpy())
        if reporter is not None:
            reporter.advance(len(batch.rows))
    model.train(was_training)
    return np.concatenate(logits)


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
    rows = part_rows(store, recipe, part)
    batches = evaluation_batches(store, recipe, rows, artifact.modality)
    reporter.begin(f"evaluate {artifact.modality} {which} on {part}", len(rows), "samples")
    logits = score_samples(
        artifact.load(which).to(chosen),
        batches,
        device=chosen,
        precision=recipe.training.precision,
        reporter=reporter,
    )
    reporter.end()
    return _scores(artifact, store, recipe, rows, logits, part, which)


def _scores(
    artifact: ModelArtifact,
    store: SequenceStore,
    recipe: Recipe,
    rows: np.ndarray,
    logits: np.ndarray,
    part: Part,
    which: str,
) -> Scores:
    names = sample_names(store, rows)
    figures = artifact.metadata["metrics"].get(which, {})
    return Scores(
        names=names,
        logits=logits,
        labels=store.index["label"].to_numpy(dtype=np.int64)[rows],
        parts=(part,) * len(names),
        seen_in_training=_seen_in_training(artifact, names, part),
        metadata={
            "benchmark": recipe.name,
            "modality": artifact.modality,
            "backbone": recipe.model.backbone,
            "which": which,
            "epoch": figures.get("epoch"),
            "classes": list(store.metadata.classes[: recipe.classes]),
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
