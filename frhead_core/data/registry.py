"""The datasets that can be read, and what preparation needs to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frhead_core.data import ntu_centre, ntu_names, nw_ucla
from frhead_core.data.ntu_names import NTU60, NTU120, NTUFacts
from frhead_core.data.ragged import RaggedBatch
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton


@dataclass(frozen=True)
class Dataset:
    """What preparation needs to know of a dataset.

    Attributes:
        skeleton: Its joint layout.
        classes: Names of the classes by index.
        dtype: In which its coordinates are stored.
        suffix: How its raw files end.
        centre: Moves sequences to the origin: the rows of a batch, (R, V, C).
        passes_denoising: Why nothing is filtered; None where bodies are tracked, and filtered.
        one_shot: Whether it has the one-shot protocol.
    """

    skeleton: str
    classes: tuple[str, ...]
    dtype: str
    suffix: str
    centre: Callable[[RaggedBatch], np.ndarray]
    passes_denoising: str | None = None
    one_shot: bool = False


def _centre_on_first_spine(batch: RaggedBatch) -> np.ndarray:
    origins = batch.rows[batch.starts, skeleton("nw-ucla").center]  # N C
    centred: np.ndarray = batch.rows - np.repeat(origins, batch.lengths, axis=0)[:, np.newaxis]
    return centred


def _ntu(facts: NTUFacts, *, one_shot: bool) -> Dataset:
    return Dataset(
        skeleton="ntu",
        classes=facts.classes,
        dtype="float32",  # as the reference
        suffix=ntu_names.SUFFIX,
        centre=ntu_centre.centre,
        one_shot=one_shot,
    )


DATASETS = {
    "nw-ucla": Dataset(
        skeleton="nw-ucla",
        classes=nw_ucla.CLASSES,
        dtype="float64",  # as in the files; also what the reference computes in
        suffix=nw_ucla.SUFFIX,
        centre=_centre_on_first_spine,
        passes_denoising=(
            "Passed through unchanged: every NW-UCLA recording holds exactly one tracked body."
        ),
    ),
    NTU60.name: _ntu(NTU60, one_shot=False),
    NTU120.name: _ntu(NTU120, one_shot=True),
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


def joints_of(dataset: str) -> int:
    """How many joints a dataset's bodies have, V."""
    return len(skeleton(find_dataset(dataset).skeleton).joints)
