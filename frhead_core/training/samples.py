"""Which samples of a store belong to which part of a benchmark."""

from __future__ import annotations

from typing import Literal

import numpy as np

from frhead_core.config import Modality, Recipe
from frhead_core.data.class_map import ClassMap
from frhead_core.data.loader import WHOLE, SampleBatches
from frhead_core.data.store import SequenceStore, index_column
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

Part = Literal["train", "validation", "test"]


def part_rows(store: SequenceStore, recipe: Recipe, part: Part) -> np.ndarray:
    """Index rows of a part, ascending.

    The training part is without the validation part when the recipe holds that out. No part that
    is compared with anchors has them in it.

    Returns:
        (n,) int64.

    Raises:
        InputError: If the part has no samples.
    """
    rows = store.rows(recipe.name, "test" if part == "test" else "train")
    if part != "test":
        column = index_column(store.index, recipe.validation.column)
        held_out = column.isin(recipe.validation.values).to_numpy()[rows]
        if part == "validation":
            names = store.index["name"].to_numpy()[rows]
            rows = rows[held_out & ~np.isin(names, recipe.validation.anchors)]
        elif recipe.training.hold_out_validation:
            rows = rows[~held_out]
    if rows.size == 0:
        raise InputError("has no sample of this part", file=store.directory, field=part, found=0)
    return rows


def anchor_rows(store: SequenceStore, recipe: Recipe, part: Part) -> np.ndarray:
    """Index rows of the anchors of a part, in the order of its scored labels.

    Returns:
        (K,) int64; empty for a part without anchors.

    Raises:
        InputError: If an anchor is not in the store, or shows another class than it stands for.
    """
    anchors = recipe.anchors(part)
    if not anchors:
        return np.empty(0, dtype=np.int64)
    row_of = {name: row for row, name in enumerate(store.index["name"])}
    missing = [name for name in anchors if name not in row_of]
    if missing:
        raise InputError(
            "anchors of the one-shot protocol are missing",
            file=store.directory,
            field=recipe.name,
            found=f"no {', '.join(missing)}",
            expected=f"all {len(anchors)}, one for each class of the {part} part",
        )
    labels = store.index["label"].to_numpy()
    for name, label in zip(anchors, recipe.scored_labels(part), strict=True):
        if labels[row_of[name]] != label:
            raise InputError(
                "the anchor is of another class",
                file=store.directory,
                field=name,
                found=f"label {labels[row_of[name]]}",
                expected=label,
            )
    return np.array([row_of[name] for name in anchors], dtype=np.int64)


def check_labels(store: SequenceStore, recipe: Recipe) -> None:
    """Refuse a recipe with other classes than those of the store's samples.

    Raises:
        InputError: If the recipe has more classes than the dataset, or, naming the first such
            sample, if it has too few.
    """
    known = len(store.metadata.classes)
    wanted = 1 + max(recipe.trained_labels + recipe.scored_labels("test"))
    if wanted > known:
        raise InputError(
            "the recipe has more classes than the dataset",
            file=store.directory,
            field="classes",
            found=wanted,
            expected=f"at most {known}",
        )
    for part in ("train", "test"):
        rows = store.rows(recipe.name, part)
        labels = store.index["label"].to_numpy()[rows]
        strange = ~ClassMap(recipe.scored_labels(part)).has(labels)
        if strange.any():
            first = rows[np.argmax(strange)]
            raise InputError(
                "the recipe has fewer classes than the store",
                file=store.directory,
                field=sample_names(store, np.array([first]))[0],
                found=f"class {store.index['label'].to_numpy()[first]}",
                expected=_classes_text(recipe, part),
            )


def _classes_text(recipe: Recipe, part: str) -> str:
    labels = recipe.scored_labels(part)
    if recipe.split.anchors:
        return f"one of the {len(labels)} classes of the {part} part"
    return f"0 to {recipe.classes - 1} (the recipe's classes: {recipe.classes})"


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
        classes=ClassMap(recipe.trained_labels),
        seed=recipe.training.seed,
        share=share,
        workers=workers,
    )
