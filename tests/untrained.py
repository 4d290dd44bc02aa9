"""Models that nobody trained, for tests of what is done with a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors

from frhead_core.config import Modality, Recipe
from frhead_core.models.registry import build_model
from frhead_core.training.artifact import write_artifact
from frhead_core.training.checkpoint import contiguous_state

NOTHING_KNOWN = {"trained_on": "nothing", "precision": "float32", "metrics": {}}


def write_untrained(
    directory: Path,
    recipe: Recipe,
    modality: Modality = "joint",
    *,
    seed: int = 0,
    **metadata: Any,
) -> Path:
    """Write a model with random weights, every one of which has a say, as an import leaves it."""
    torch.manual_seed(seed)
    model = build_model(recipe)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    write_artifact(
        directory,
        recipe=recipe,
        modality=modality,
        weights={"last": to_safetensors(contiguous_state(model))},
        metadata=NOTHING_KNOWN | metadata,
        history=(),
        training_samples=None,
    )
    return directory
