"""Which samples of a store belong to which part of a benchmark."""

from __future__ import annotations

from typing import Literal

import numpy as np

from frhead_core.config import Modality, Recipe
from frhead_core.data.loader import WHOLE, SampleBatches
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

Part = Literal["train", "validation", "test"]


def part_rows(store: SequenceStore, recipe: Recipe, part: Part) -> np.ndarray:
    """Index rows of a part, ascending.

    The training part is without the validation part when the recipe holds that out.

    Returns:
        (n,) int64.

    Raises:
        InputError: If the part has no samples.
    """
    rows = store.rows(recipe.name, "test" if part == "test" else "train")
    if part != "test":
        column = store.index[recipe.validation.column].to_numpy()[rows]
        held_out = np.isin(column, recipe.validation.values)
        if part == "validation":
            rows = rows[held_out]
        elif recipe.training.hold_out_validation:
            rows = rows[~held_out]
    if rows.size == 0:
        raise InputError("has no sample of this part", file=store.directory, field=part, found=0)
    return rows


def check_labels(store: SequenceStore, recipe: Recipe) -> None:
    """Refuse a recipe with other classes than those of the store's samples.

    Raises:
        InputError: If the recipe has more classes than the dataset, or, naming the first such
            sample, if it has too few.
    """
    known = len(store.metadata.classes)
    if recipe.classes > known:
        raise InputError(
            "the recipe has more classes than the dataset",
            file=store.directory,
            field="classes",
            found=recipe.classes,
            expected=f"at most {known}",
        )
    rows = np.concatenate([store.rows(recipe.name, part) for part in ("train", "test")])
    labels = store.index["label"].to_numpy()[rows]
    if labels.size and labels.max() >= recipe.classes:
        first = rows[np.argmax(labels >= recipe.classes)]
        raise InputError(
            "the recipe has fewer classes than the store",
            file=store.directory,
            field=sample_names(store, np.array([first]))[0],
            found=f"class {store.index['label'].to_numpy()[first]}",
            expected=f"0 to {recipe.classes - 1} (the recipe's classes: {recipe.classes})",
        )


def sample_names(store: SequenceStore, rows: np.ndarray) -> tuple[str, ...]:
    """Names of index rows."""
    return tuple(store.index["name"].to_numpy()[rows].tolist())


def evaluation_batches(
    store: SequenceStore, recipe: Recipe, rows: np.ndarray, modality: Modality, workers: int = 0
) -> SampleBatches:
    """The batches of some index rows for scoring: in order, without random transforms."""
    return SampleBatches(
        store,
        rows,
        loader=recipe.loader,
        skeleton=skeleton(recipe.skeleton),
        modality=modality,
        batch_size=recipe.evaluation.batch_size,
        training=False,
        workers=workers,
    )


def training_batches(
    store: SequenceStore,
    recipe: Recipe,
    modality: Modality,
    workers: int = 0,
    share: slice = WHOLE,
) -> SampleBatches:
    """The batches of the training part: shuffled, repeated and augmented by the recipe.

    Args:
        store: The sequences.
        recipe: The benchmark's settings.
        modality: What the model sees.
        workers: Processes that prepare batches ahead.
        share: Which samples of each batch to make.
    """
    return SampleBatches(
        store,
        part_rows(store, recipe, "train"),
        loader=recipe.loader,
        skeleton=skeleton(recipe.skeleton),
        modality=modality,
        batch_size=recipe.training.batch_size,
        training=True,
        seed=recipe.training.seed,
        share=share,
        workers=workers,
    )
