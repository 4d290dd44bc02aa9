"""The datasets that can be read, and what preparation needs to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frhead_core.data import ntu_centre, ntu_names, nw_ucla, own_names
from frhead_core.data.ntu_names import NTU60, NTU120, NTUFacts
from frhead_core.data.presence import present
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.raw_files import Suffix
from frhead_core.errors import InputError


@dataclass(frozen=True)
class Dataset:
    """What preparation needs to know of a dataset.

    Attributes:
        skeleton: Its joint layout; empty where the recipe brings it.
        classes: Names of the classes by index; empty where the raw data name them.
        dtype: In which its coordinates are stored.
        suffix: How its raw files end.
        centre: Moves a joint of sequences to the origin: the rows of a batch, (R, V, C).
        passes_denoising: Why nothing is filtered; None where bodies are tracked, and filtered.
    """

    skeleton: str
    classes: tuple[str, ...]
    dtype: str
    suffix: Suffix
    centre: Callable[[RaggedBatch, int], np.ndarray]
    passes_denoising: str | None = None


def _centre_on_first_frame(batch: RaggedBatch, joint: int) -> np.ndarray:
    return batch.moved(batch.rows[batch.starts, joint])


def _centre_on_first_body(batch: RaggedBatch, joint: int) -> np.ndarray:
    """By the first frame that has the first body; bodies that are absent, all zero, stay so."""
    there = present(batch.rows)
    centred = batch.moved(batch.rows[ntu_centre.first_rows(batch, there), joint])
    centred[~there] = 0
    return centred


def _ntu(facts: NTUFacts) -> Dataset:
    return Dataset(
        skeleton="ntu",
        classes=facts.classes,
        dtype="float32",  # as the reference
        suffix=ntu_names.SUFFIX,
        centre=ntu_centre.centre,
    )


DATASETS = {
    "nw-ucla": Dataset(
        skeleton="nw-ucla",
        classes=nw_ucla.CLASSES,
        dtype="float64",  # as in the files; also what the reference computes in
        suffix=nw_ucla.SUFFIX,
        centre=_centre_on_first_frame,
        passes_denoising=(
            "Passed through unchanged: every NW-UCLA recording holds exactly one tracked body."
        ),
    ),
    own_names.NAME: Dataset(
        skeleton="",
        classes=(),
        dtype="float32",
        suffix=own_names.SUFFIXES,
        centre=_centre_on_first_body,
        passes_denoising=(
            "Passed through unchanged: nothing is filtered out of recordings of one's own."
        ),
    ),
    NTU60.name: _ntu(NTU60),
    NTU120.name: _ntu(NTU120),
}


def find_dataset(name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        InputError: If it is unknown.
    """
    if name in DATASETS:
        return DATASETS[name]
    known = " or ".join(sorted(DATASETS))
    raise InputError("unknown dataset", field="dataset", found=name, expected=known)
