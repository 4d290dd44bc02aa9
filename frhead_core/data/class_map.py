"""Which place in a row of scores stands for which class of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from frhead_core.errors import InputError


@dataclass(frozen=True)
class ClassMap:
    """Labels of a dataset to places among K outputs.

    Attributes:
        labels: For each of the K outputs the label, as in the sequence store; each once. So
            ``labels[place]`` is the way back.
    """

    labels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def places(self, labels: np.ndarray) -> np.ndarray:
        """The place of each label.

        Args:
            labels: (n,) int64.

        Returns:
            (n,) int64, 0 to K - 1.

        Raises:
            InputError: If a label has no place.
        """
        known = self.has(labels)
        if not known.all():
            raise InputError(
                "the class is none of those that are scored",
                field="label",
                found=int(labels[np.argmin(known)]),
                expected=f"one of {len(self)} labels",
            )
        places: np.ndarray = self._order[np.searchsorted(self._sorted, labels)]
        return places

    def has(self, labels: np.ndarray) -> np.ndarray:
        """Whether each label has a place: (n,) bool."""
        known: np.ndarray = np.isin(labels, self._sorted)
        return known

    def names(self, every: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the K classes, given those of all labels of the dataset."""
        return tuple(every[label] for label in self.labels)

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(np.array(self.labels, dtype=np.int64), kind="stable")

    @cached_property
    def _sorted(self) -> np.ndarray:
        ordered: np.ndarray = np.array(self.labels, dtype=np.int64)[self._order]
        return ordered
