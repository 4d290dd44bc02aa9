"""The files that the reference prepares: which parts they have, and which rows in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from frhead_core.config import NTULoader, Recipe, Value, load_recipe
from frhead_core.data.store import SequenceStore, index_column
from frhead_core.errors import InputError

PERSONS, JOINTS, AXES = 2, 25, 3
WIDTH = PERSONS * JOINTS * AXES  # columns: person, joint, axis
_PARTS = {"train": "train", "test": "test"}
_ONE_SHOT_PARTS = {"aux": "train", "anchor": "anchor", "eval": "test"}


@dataclass(frozen=True)
class ReferenceLayout:
    """The layout of one benchmark's file.

    Attributes:
        benchmark: Its name.
        dataset: The dataset that it belongs to.
        classes: K, the width of the one-hot labels.
        repeats_lone_body: Whether a lone body is there twice; else zeros follow it.
        parts: Part of the store for each suffix of the names in the file, in their order.
        named: Whether the file holds the names of the recordings.
        recipe: Where the order of the rows comes from.
    """

    benchmark: str
    dataset: str
    classes: int
    repeats_lone_body: bool
    parts: dict[str, str]
    named: bool
    recipe: Recipe

    def rows(self, store: SequenceStore, part: str) -> np.ndarray:
        """Index rows of a part of the store, in the order of the file: (n,) int64.

        By the value that the split goes by, in the order in which the recipe lists the values.
        Rows of equal value stay in the order of the index.
        """
        rows = store.rows(self.benchmark, part)
        split = self.recipe.split
        keys = _places(index_column(store.index, split.column), (*split.train, *split.test))[rows]
        return rows[np.argsort(keys, kind="stable")]


def reference_layout(benchmark: str) -> ReferenceLayout:
    """The layout of the file that the reference prepares for a benchmark.

    Args:
        benchmark: Name of a recipe or its file.

    Raises:
        InputError: If it is unknown or the reference has no such file for it.
    """
    recipe = load_recipe(benchmark)
    if not isinstance(recipe.loader, NTULoader):
        raise InputError(
            "there are no prepared files of this kind for the benchmark",
            field="benchmark",
            found=recipe.name,
            expected="a benchmark of NTU RGB+D",
        )
    split, one_shot = recipe.split, bool(recipe.split.anchors)
    return ReferenceLayout(
        benchmark=recipe.name,
        dataset=recipe.dataset,
        classes=len(split.train + split.test) if one_shot else recipe.classes,
        repeats_lone_body=recipe.loader.lone_body == "repeat",
        parts=_ONE_SHOT_PARTS if one_shot else _PARTS,
        named=one_shot,
        recipe=recipe,
    )


def _places(values: pd.Series[Any], order: Sequence[Value]) -> np.ndarray:
    """Where each value stands in a list; imported recordings without such a value come first."""
    place = {value: number for number, value in enumerate(order)}
    return values.map(place).fillna(-1).to_numpy(dtype=np.int64)
