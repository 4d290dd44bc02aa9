"""The files that the reference prepares: which parts they have, and which rows in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from frhead_core.config import NTULoader, Recipe, load_recipe
from frhead_core.data import ntu_oneshot
from frhead_core.data.store import SequenceStore
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
        recipe: Where the order of the rows comes from; None for the one-shot protocol.
    """

    benchmark: str
    dataset: str
    classes: int
    repeats_lone_body: bool
    parts: dict[str, str]
    named: bool
    recipe: Recipe | None

    def rows(self, store: SequenceStore, part: str) -> np.ndarray:
        """Index rows of a part of the store, in the order of the file: (n,) int64.

        By the value that the split goes by, in the order in which the recipe lists the values;
        in the one-shot protocol by class. Rows of equal value stay in the order of the index.
        """
        rows = store.rows(self.benchmark, part)
        if self.recipe is None:
            keys = store.index["label"].to_numpy()[rows]
        else:
            split = self.recipe.split
            keys = _places(store.index[split.column], (*split.train, *split.test))[rows]
        return rows[np.argsort(keys, kind="stable")]


def reference_layout(benchmark: str) -> ReferenceLayout:
    """The layout of the file that the reference prepares for a benchmark.

    Args:
        benchmark: Name of a recipe or its file, or ``ntu120-oneshot``.

    Raises:
        InputError: If it is unknown or the reference has no such file for it.
    """
    if benchmark == ntu_oneshot.BENCHMARK:
        return ReferenceLayout(benchmark, "ntu120", 120, True, _ONE_SHOT_PARTS, True, None)
    recipe = load_recipe(benchmark)
    if not isinstance(recipe.loader, NTULoader):
        raise InputError(
            "there are no prepared files of this kind for the benchmark",
            field="benchmark",
            found=recipe.name,
            expected=f"a benchmark of NTU RGB+D, or {ntu_oneshot.BENCHMARK}",
        )
    repeats = recipe.loader.lone_body == "repeat"
    return ReferenceLayout(
        recipe.name, recipe.dataset, recipe.classes, repeats, _PARTS, False, recipe
    )


def _places(values: pd.Series[int], order: Sequence[int]) -> np.ndarray:
    """Where each value stands in a list; imported recordings without such a value come first."""
    place = {value: number for number, value in enumerate(order)}
    return values.map(place).fillna(-1).to_numpy(dtype=np.int64)
