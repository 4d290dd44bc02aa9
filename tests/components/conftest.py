"""Artifacts as kfp would give them to a step, in temporary folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kfp import dsl

from components import runtime
from components.denoise_skeletons.component import denoise_skeletons
from components.evaluate_modality.component import evaluate_modality
from components.extract_raw_skeletons.component import extract_raw_skeletons
from components.sections import preparation_to_json, splits_to_json
from components.train_modality.component import train_modality
from components.transform_sequences.component import transform_sequences
from frhead_core.config import Recipe, load_recipe, override, recipe_to_json

Artifact = TypeVar("Artifact", bound=dsl.Artifact)
Make = Callable[[type[Artifact], str], Artifact]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make[Any]:
    """Makes an empty artifact of a type, at a path of its own whose parent exists."""

    def make_artifact(kind: type[Artifact], name: str) -> Artifact:
        return kind(name=name, uri=str(tmp_path_factory.mktemp(name) / name))

    return make_artifact


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    return override(
        load_recipe("demo-nw-ucla"),
        ["training.epochs=1", "model.base_channels=8", "loader.window=16", "loader.repeat=1"],
    )


@dataclass(frozen=True)
class Prepared:
    """What the preparation steps made."""

    raw_bodies: dsl.Dataset
    denoised: dsl.Dataset
    sequences: dsl.Dataset
    reports: dict[str, dsl.Markdown]


@dataclass(frozen=True)
class Trained:
    """What training and evaluating one modality made."""

    model: dsl.Model
    model_metrics: dsl.Metrics
    scores: dsl.Dataset
    metrics: dsl.Metrics
    confusion: dsl.ClassificationMetrics


@pytest.fixture(scope="session")
def prepared(synthetic_zip: Path, tiny: Recipe, make: Make[Any]) -> Prepared:
    settings = {"dataset": "nw-ucla", "preparation": preparation_to_json(tiny.preparation)}
    raw_bodies, denoised = make(dsl.Dataset, "raw_bodies"), make(dsl.Dataset, "denoised")
    sequences = make(dsl.Dataset, "sequences")
    reports = {name: make(dsl.Markdown, name) for name in ("extract", "denoise", "transform")}
    extract_raw_skeletons.python_func(
        raw=str(synthetic_zip),
        skeleton="nw-ucla",
        data_fingerprint="0" * 64,
        code_version="e",
        raw_bodies=raw_bodies,
        report=reports["extract"],
        **settings,
    )
    denoise_skeletons.python_func(
        raw_bodies=raw_bodies,
        code_version="d",
        denoised=denoised,
        report=reports["denoise"],
        **settings,
    )
    transform_sequences.python_func(
        denoised=denoised,
        splits=splits_to_json({"demo-nw-ucla": tiny.split}),
        code_version="t",
        sequences=sequences,
        report=reports["transform"],
        **settings,
    )
    return Prepared(raw_bodies, denoised, sequences, reports)


@pytest.fixture(scope="session")
def trained(
    prepared: Prepared,
    tiny: Recipe,
    make: Make[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Trained]]:
    with _training_environment(tmp_path_factory):
        yield {name: _train(name, prepared, tiny, make) for name in ("joint", "bone")}


@pytest.fixture(scope="session")
def trained_without_validation(
    prepared: Prepared,
    tiny: Recipe,
    make: Make[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Trained]]:
    """Trained without the validation part, camera 2, which they were then evaluated on."""
    recipe = override(tiny, ["training.hold_out_validation=true"])
    with _training_environment(tmp_path_factory):
        yield {name: _train(name, prepared, recipe, make) for name in ("joint", "bone")}


@contextmanager
def _training_environment(folders: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(runtime.CHECKPOINT_ROOT, str(folders.mktemp("checkpoints")))
        patch.setenv(runtime.THREADS, "1")
        yield


def _train(modality: str, prepared: Prepared, recipe: Recipe, make: Make[Any]) -> Trained:
    made = Trained(
        make(dsl.Model, "model"),
        make(dsl.Metrics, "metrics"),
        make(dsl.Dataset, "scores"),
        make(dsl.Metrics, "metrics"),
        make(dsl.ClassificationMetrics, "confusion"),
    )
    train_modality.python_func(
        sequences=prepared.sequences,
        modality=modality,
        recipe=recipe_to_json(recipe.for_training(modality)),
        weights="",
        weights_digest="",
        code_version="c",
        model=made.model,
        metrics=made.model_metrics,
    )
    evaluate_modality.python_func(
        model=made.model,
        sequences=prepared.sequences,
        modality=modality,
        code_version="v",
        scores=made.scores,
        metrics=made.metrics,
        confusion=made.confusion,
    )
    return made
