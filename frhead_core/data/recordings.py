"""One recording on its way through preparation: who it is, or why it was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Recording:
    """The identity of a recording. Numbers count from 1 as in its name; ``label`` from 0.

    ``setup`` is 0 where the dataset has none; ``camera`` is the view.
    """

    name: str
    setup: int
    camera: int
    performer: int
    replication: int
    action: int
    label: int


@dataclass(frozen=True)
class Quarantined:
    """A recording that cannot be used, the file it came from, and why."""

    name: str
    file: str
    reason: str


@dataclass(frozen=True)
class RecordedBodies:
    """A usable recording: ``bodies`` is (M, T, V, C), in metres."""

    recording: Recording
    bodies: np.ndarray


class RecordingSource(Protocol):
    """Raw recordings of a dataset, read one at a time in the order of their names."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[RecordedBodies | Quarantined]: ...
