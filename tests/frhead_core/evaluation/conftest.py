from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as to_safetensors

from frhead_core.config import MODALITIES, Modality, Recipe, load_recipe, override
from frhead_core.evaluation.scores import Part, Scores
from frhead_core.models.registry import build_model
from frhead_core.training.artifact import write_artifact
from frhead_core.training.checkpoint import contiguous_state

MakeScores = Callable[..., Scores]


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("nw-ucla")


@pytest.fixture(scope="session")
def make_scores() -> MakeScores:
    """Scores of a model that is right more often the larger ``skill`` is."""

    def make(
        count: int = 40,
        classes: int = 10,
        seed: int = 0,
        skill: float = 2.0,
        part: Part = "test",
        **metadata: Any,
    ) -> Scores:
        labels = np.arange(count, dtype=np.int64) % classes
        noise = np.random.default_rng(seed).normal(size=(count, classes))
        noise[np.arange(count), labels] += skill
        return Scores(
            names=tuple(f"sample_{row:03d}" for row in range(count)),
            logits=noise.astype(np.float32),
            labels=labels,
            parts=(part,) * count,
            seen_in_training=np.zeros(count, dtype=bool),
            metadata={"benchmark": "nw-ucla", "data_fingerprint": "f" * 8, **metadata},
        )

    return make


@pytest.fixture
def four_scores(make_scores: MakeScores) -> dict[Modality, Scores]:
    return {
        modality: make_scores(seed=seed, modality=modality, which="last")
        for seed, modality in enumerate(MODALITIES)
    }


MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def tiny_demo() -> Recipe:
    settings = ["model.base_channels=8", "loader.window=16", "training.epochs=1"]
    return override(load_recipe("demo-nw-ucla"), settings)


@pytest.fixture
def make_model(tiny_demo: Recipe, tmp_path: Path) -> MakeModel:
    """A model that nobody trained, as an import leaves it: weights and no metrics."""

    def make(
        name: str,
        modality: Modality = "joint",
        *,
        recipe: Recipe = tiny_demo,
        weights: tuple[str, ...] = ("last",),
        seed: int = 0,
        training_samples: tuple[str, ...] | None = None,
    ) -> Path:
        torch.manual_seed(seed)
        contents = {each: to_safetensors(contiguous_state(build_model(recipe))) for each in weights}
        write_artifact(
            tmp_path / name,
            recipe=recipe,
            modality=modality,
            weights=contents,
            metadata={
                "benchmark": recipe.name,
                "backbone": "ctrgcn",
                "trained_on": "nothing",
                "precision": "float32",
                "metrics": {},
            },
            history=(),
            training_samples=training_samples,
        )
        return tmp_path / name

    return make
