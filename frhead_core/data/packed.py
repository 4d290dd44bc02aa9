"""Sequences of different lengths packed into one directory, and read through a memory map.

The rows of all sequences lie one after the other in ``coordinates.npy``; ``index.csv`` says where
each begins. Nothing is padded, and neither writing nor reading holds more than the index and one
sequence in memory.
"""

from __future__ import annotations

import csv
import json
import math
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from frhead_core.config import TEXT_COLUMNS
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.errors import InputError
from frhead_core.skeleton_layout import SkeletonLayout, layout_from_mapping
from frhead_core.skeletons import Skeleton, skeleton

FORMAT_VERSION = 1
_IDENTITY = tuple(item.name for item in fields(Recording))
INDEX_COLUMNS = (*_IDENTITY, "frames", "bodies", "first_row")


@dataclass(frozen=True)
class StoreMetadata:
    """What a packed directory says of itself. ``classes`` are names by class index."""

    kind: str
    dataset: str
    skeleton: str | SkeletonLayout
    dtype: str
    data_fingerprint: str
    classes: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


class PackedSequences:
    """A packed directory, opened for reading.

    Attributes:
        directory: Where it is.
        metadata: What it says of itself.
        index: One row per sequence, in the order of the names.
        coordinates: (rows, V, C), mapped from the file.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        directory: Path,
        metadata: StoreMetadata,
        index: pd.DataFrame,
        coordinates: np.memmap[Any, np.dtype[Any]],
    ) -> None:
        self.directory = directory
        self.metadata = metadata
        self.index = index
        self.coordinates = coordinates

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a directory, without reading the coordinates.

        Raises:
            InputError: If it is missing, of another kind or version, or damaged.
        """
        metadata = _read_metadata(directory, cls.kind)
        index = _read_index(directory / "index.csv")
        coordinates = _map_coordinates(directory / "coordinates.npy")
        packed = cls(directory, metadata, index, coordinates)
        packed._check_complete()
        return packed

    def __len__(self) -> int:
        return len(self.index)

    @property
    def layout(self) -> Skeleton:
        """The joints of its bodies."""
        return skeleton(self.metadata.skeleton)

    @property
    def further_columns(self) -> dict[str, list[str]]:
        """Columns of the index that not every dataset has, such as ``part``."""
        names = [name for name in self.index.columns if name not in INDEX_COLUMNS]
        return {name: self.index[name].tolist() for name in names}

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the file itself instead of receiving a copy of it.
        return type(self).open, (self.directory,)

    def sequence(self, row: int) -> np.ndarray:
        """The sequence of an index row, a read-only view (M, T, V, C)."""
        first, last, bodies = self._place(row)
        rows = self.coordinates[first:last]
        return rows.reshape(bodies, -1, *rows.shape[1:])

    def read_sequence(self, row: int) -> np.ndarray:
        """The sequence of an index row, (M, T, V, C), read from the file and not mapped."""
        first, last, bodies = self._place(row)
        rows = self.read_rows(first, last)
        return rows.reshape(bodies, -1, *rows.shape[1:])

    def read_rows(self, first: int, last: int) -> np.ndarray:
        """Rows ``first`` up to before ``last``, read from the file and not mapped: (n, V, C).

        A mapping that is gone through from end to end counts as memory of the process.
        """
        shape, dtype = self.coordinates.shape[1:], self.coordinates.dtype
        rows = np.empty((last - first, *shape), dtype)
        offset = self.coordinates.offset + first * math.prod(shape) * dtype.itemsize
        rest = rows.reshape(-1).view(np.uint8).data
        while rest:
            count = os.preadv(self._descriptor, [rest], offset)
            if not count:
                raise InputError("has become shorter", file=self.directory / "coordinates.npy")
            rest, offset = rest[count:], offset + count
        return rows

    def recording(self, row: int) -> Recording:
        """The identity of an index row."""
        return self.recordings(range(row, row + 1))[0]

    def recordings(self, rows: range) -> list[Recording]:
        """The identities of index rows that follow one another."""
        columns = [self.column(name, rows) for name in _IDENTITY]
        return [Recording(*values) for values in zip(*columns, strict=True)]

    def column(self, name: str, rows: range) -> list[Any]:
        """A column of the index for rows that follow one another."""
        values: list[Any] = self._columns[name][rows.start : rows.stop].tolist()
        return values

    def quarantined(self) -> list[Quarantined]:
        """The recordings that were left out, with the reasons."""
        with (self.directory / "quarantine.csv").open(encoding="utf-8", newline="") as file:
            return [Quarantined(**row) for row in csv.DictReader(file)]

    @cached_property
    def _descriptor(self) -> int:
        """The file of the coordinates, opened once for all reads."""
        descriptor = os.open(self.directory / "coordinates.npy", os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        """The index as plain arrays: looking up a row of a table takes a hundred times as long."""
        return {column: self.index[column].to_numpy() for column in INDEX_COLUMNS}

    def _place(self, row: int) -> tuple[int, int, int]:
        """First and last row, and the number of bodies, of an index row."""
        names = ("first_row", "bodies", "frames")
        first, bodies, frames = (int(self._columns[name][row]) for name in names)
        return first, first + bodies * frames, bodies

    def _row_count(self) -> int:
        """How many rows the index speaks of."""
        return int((self.index["frames"] * self.index["bodies"]).sum())

    def _check_complete(self) -> None:
        expected = dict(self.metadata.counts)
        found = {"sequences": len(self.index), "rows": self._row_count()}
        for name, count in (*found.items(), ("rows", len(self.coordinates))):
            if count != expected.get(name):
                raise InputError(
                    "is damaged",
                    file=self.directory,
                    field=name,
                    found=count,
                    expected=expected.get(name),
                    hint="Prepare the data again",
                )


class RawBodies(PackedSequences):
    """All tracked bodies of all recordings, where they are all there in every frame."""

    kind = "raw bodies"


class DenoisedSequences(PackedSequences):
    """The actors of each recording."""

    kind = "denoised sequences"


def _read_metadata(directory: Path, kind: str) -> StoreMetadata:
    path = directory / "metadata.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data["format_version"]
        found_kind = data["kind"]
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", file=path, expected=f"a directory of {kind}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("is not the description of a packed directory", file=path) from error
    if version != FORMAT_VERSION:
        raise InputError(
            "a store made by another version",
            file=path,
            field="format_version",
            found=version,
            expected=FORMAT_VERSION,
            hint="Prepare the data again with this version",
        )
    if found_kind != kind:
        raise InputError(
            "holds something else", file=path, field="kind", found=found_kind, expected=kind
        )
    try:
        if isinstance(data["skeleton"], dict):
            data["skeleton"] = layout_from_mapping(data["skeleton"], path, below=("skeleton",))
        return StoreMetadata(**(data | {"classes": tuple(data["classes"])}))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"is not the description of a packed directory ({error})", file=path
        ) from error


def _read_index(path: Path) -> pd.DataFrame:
    try:
        texts = dict.fromkeys(TEXT_COLUMNS, str)
        index = pd.read_csv(path, keep_default_na=False, dtype=texts)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", file=path) from error
    missing = [column for column in INDEX_COLUMNS if column not in index.columns]
    if missing:
        raise InputError("lacks columns", file=path, found=missing)
    return index


def _map_coordinates(path: Path) -> np.memmap[Any, np.dtype[Any]]:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be mapped ({error})", file=path, hint="Prepare the data again"
        ) from error
