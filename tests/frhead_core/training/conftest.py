"""A model small enough to train in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.training.loop import TrainingJob

TINY: dict[str, Any] = {
    "model.base_channels": 8,
    "training.batch_size": 8,
    "training.epochs": 2,
    "training.milestones": [1],
    "loader.repeat": 1,
}


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    return override(load_recipe("demo-nw-ucla"), TINY)


@pytest.fixture
def make_job(
    tiny_recipe: Recipe, synthetic_store: Path, tmp_path: Path
) -> Callable[..., TrainingJob]:
    """A job on the synthetic store; keyword arguments are settings of the recipe or the job."""

    def make(settings: dict[str, Any] | None = None, **job: Any) -> TrainingJob:
        return TrainingJob(
            recipe=override(tiny_recipe, settings or {}),
            **{
                "modality": "joint",
                "store": synthetic_store,
                "output": tmp_path / "model",
                "checkpoint_root": tmp_path / "checkpoints",
                "code_version": "test",
                "threads": 1,
                "device": "cpu",
                **job,
            },
        )

    return make
