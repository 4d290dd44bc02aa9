"""Sequences of different lengths side by side, so that a batch is one array operation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from frhead_core.data.packed import PackedSequences


@dataclass(frozen=True)
class RaggedBatch:
    """N sequences one after the other.

    Attributes:
        names: (N,) their names, for messages.
        rows: (R, V, C), R the sum over the sequences of bodies times frames; the rows of a
            sequence are body-major, (M, T).
        frames: (N,) int64, at least 1.
        bodies: (N,) int64, at least 1.
    """

    names: np.ndarray
    rows: np.ndarray
    frames: np.ndarray
    bodies: np.ndarray

    @classmethod
    def of_one(cls, name: str, sequence: np.ndarray) -> RaggedBatch:
        """A batch of one sequence, (M, T, V, C)."""
        bodies, frames, *joint_shape = sequence.shape
        return cls(
            names=np.array([name], dtype=object),
            rows=sequence.reshape(-1, *joint_shape),
            frames=np.array([frames], dtype=np.int64),
            bodies=np.array([bodies], dtype=np.int64),
        )

    @cached_property
    def lengths(self) -> np.ndarray:
        """(N,) rows of each sequence."""
        lengths: np.ndarray = self.frames * self.bodies
        return lengths

    def moved(self, origins: np.ndarray) -> np.ndarray:
        """The rows, (R, V, C), with the origin of each sequence, (N, C), taken from its joints."""
        # One long row a frame: NumPy needs five times as long for rows of three numbers.
        moves = np.repeat(np.tile(origins, self.rows.shape[1]), self.lengths, axis=0)
        result: np.ndarray = (self.rows.reshape(moves.shape) - moves).reshape(self.rows.shape)
        return result

    @cached_property
    def starts(self) -> np.ndarray:
        """(N,) the first row of each sequence."""
        starts: np.ndarray = np.cumsum(self.lengths) - self.lengths
        return starts


def read_batch(packed: PackedSequences, rows: range) -> RaggedBatch:
    """The sequences of index rows that follow one another, read from the file and not mapped."""
    names, first, frames, bodies = (
        packed.column(name, rows) for name in ("name", "first_row", "frames", "bodies")
    )
    return RaggedBatch(
        names=np.array(names, dtype=object),
        rows=packed.read_rows(first[0], first[-1] + frames[-1] * bodies[-1]),
        frames=np.array(frames, dtype=np.int64),
        bodies=np.array(bodies, dtype=np.int64),
    )


class RaggedReader:
    """Reads batches from a packed directory by index row; keeps the index as plain arrays."""

    def __init__(self, packed: PackedSequences) -> None:
        index = packed.index
        self._packed = packed
        self._coordinates = packed.coordinates
        self._names = index["name"].to_numpy(dtype=object)
        self._frames = index["frames"].to_numpy(dtype=np.int64)
        self._bodies = index["bodies"].to_numpy(dtype=np.int64)
        self._first = index["first_row"].to_numpy(dtype=np.int64)

    def __reduce__(self) -> tuple[type[RaggedReader], tuple[PackedSequences]]:
        # A worker process maps the file itself instead of receiving a copy of it.
        return RaggedReader, (self._packed,)

    def read(self, rows: np.ndarray) -> RaggedBatch:
        """The sequences of some index rows, (N,) int64, copied from the map."""
        frames, bodies, first = self._frames[rows], self._bodies[rows], self._first[rows]
        last = first + frames * bodies
        slices = [self._coordinates[begin:end] for begin, end in zip(first, last, strict=True)]
        return RaggedBatch(self._names[rows], np.concatenate(slices), frames, bodies)
