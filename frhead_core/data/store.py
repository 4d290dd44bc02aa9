"""The sequence store: centred sequences of a dataset, one copy for all of its benchmarks."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from frhead_core.data.packed import PackedSequences
from frhead_core.errors import InputError

PART_PREFIX = "part:"
PARTS = ("train", "test", "anchor")


class SequenceStore(PackedSequences):
    """Centred sequences; column ``part:<benchmark>`` of the index says who trains and who tests."""

    kind = "sequence store"

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks whose split the index holds."""
        columns = [str(column) for column in self.index.columns]
        return tuple(
            column.removeprefix(PART_PREFIX) for column in columns if column.startswith(PART_PREFIX)
        )

    def content_digest(self) -> str:
        """SHA-256 over the coordinates and the index: what training from the store depends on."""
        digest = hashlib.sha256()
        for name in ("coordinates.npy", "index.csv"):
            with (self.directory / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def rows(self, benchmark: str, part: str) -> np.ndarray:
        """Index rows of a part of a benchmark's split.

        That is ``"train"`` or ``"test"``; a one-shot protocol also has ``"anchor"``.

        Returns:
            (n,) int64, ascending.

        Raises:
            InputError: If the store was not made for that benchmark or has no such part.
        """
        if benchmark not in self.benchmarks:
            raise InputError(
                "the store was not prepared for this benchmark",
                file=self.directory,
                field="benchmark",
                found=f"a store for {', '.join(self.benchmarks)}",
                expected=benchmark,
            )
        if part not in PARTS:
            raise InputError("unknown part", field="part", found=part, expected=" or ".join(PARTS))
        chosen = self.index[PART_PREFIX + benchmark].to_numpy() == part
        return np.flatnonzero(chosen).astype(np.int64)


def index_column(index: pd.DataFrame, column: str) -> pd.Series[Any]:
    """A column of an index.

    Raises:
        InputError: If the dataset has none of that name.
    """
    if column not in index.columns:
        raise InputError(
            "the recordings have no such column",
            field=column,
            expected=f"one of {', '.join(name for name in index.columns if ':' not in name)}",
            hint="Name another column in split and validation of the recipe, or add it to the data",
        )
    return index[column]
