"""The datasets that can be read, and what preparation needs to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frhead_core.config import Preparation
from frhead_core.data import ntu_centre, ntu_raw, nw_ucla
from frhead_core.data.ntu_names import NTU60, NTU120, NTUFacts
from frhead_core.data.ntu_source import NTUSource
from frhead_core.data.raw_files import RawFiles
from frhead_core.data.recordings import RecordedBodies, RecordingSource
from frhead_core.data.tracked_bodies import TrackedRecording
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

Source = RecordingSource[RecordedBodies] | RecordingSource[TrackedRecording]


@dataclass(frozen=True)
class Dataset:
    """What preparation needs to know of a dataset.

    Attributes:
        skeleton: Its joint layout.
        classes: Names of the classes by index.
        dtype: In which its coordinates are stored.
        suffix: How its raw files end.
        source: Makes the recordings from the raw files, their place, and the settings.
        centre: Moves a sequence, (M, T, V, C), to the origin.
        passes_denoising: Why nothing is filtered; None where bodies are tracked, and filtered.
        one_shot: Whether it has the one-shot protocol.
    """

    skeleton: str
    classes: tuple[str, ...]
    dtype: str
    suffix: str
    source: Callable[[RawFiles, Path, Preparation], Source]
    centre: Callable[[np.ndarray], np.ndarray]
    passes_denoising: str | None = None
    one_shot: bool = False


def _nw_ucla_source(files: RawFiles, raw: Path, preparation: Preparation) -> Source:
    return nw_ucla.NWUCLASource(files, raw, official_list=preparation.official_list)


def _centre_on_first_spine(bodies: np.ndarray) -> np.ndarray:
    centred: np.ndarray = bodies - bodies[0, 0, skeleton("nw-ucla").center]
    return centred


def _ntu(facts: NTUFacts, *, one_shot: bool) -> Dataset:
    def source(files: RawFiles, raw: Path, preparation: Preparation) -> Source:
        return NTUSource(files, raw, facts, official_list=preparation.official_list)

    return Dataset(
        skeleton="ntu",
        classes=facts.classes,
        dtype="float32",  # as the reference
        suffix=ntu_raw.SUFFIX,
        source=source,
        centre=ntu_centre.centre,
        one_shot=one_shot,
    )


DATASETS = {
    "nw-ucla": Dataset(
        skeleton="nw-ucla",
        classes=nw_ucla.CLASSES,
        dtype="float64",  # as in the files; also what the reference computes in
        suffix=nw_ucla.SUFFIX,
        source=_nw_ucla_source,
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
