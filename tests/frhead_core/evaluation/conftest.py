from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from frhead_core.config import MODALITIES, Modality, Recipe, load_recipe
from frhead_core.evaluation.scores import Part, Scores

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
