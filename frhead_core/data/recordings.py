"""One recording on its way through preparation: who it is, or why it was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

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


Content_co = TypeVar("Content_co", covariant=True)


class RecordingSource(Protocol[Content_co]):
    """Raw recordings of a dataset, read one at a time in the order of their names."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """What was passed over as no part of the dataset, and how much of it."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by label."""
        ...

    @property
    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Further columns of the index: a value by the name of the recording."""
        ...

    def __len__(self) -> int: ...

    def starting_at(self, first: int) -> Iterator[Content_co | Quarantined]:
        """The recordings from a place on, without reading those before it."""
        ...
