"""Recordings of the user's own: one ``.npy`` array each, listed in ``index.csv``."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from frhead_core.data.ordered import ordered_map
from frhead_core.data.own_index import ListedRecording, read_own_index
from frhead_core.data.own_names import ARRAYS
from frhead_core.data.presence import present
from frhead_core.data.raw_files import DamagedFileError, Place, RawFiles
from frhead_core.data.recordings import Quarantined, RecordedBodies
from frhead_core.skeletons import Skeleton

_AXES = 3
# What numpy raises for a header that is none: it is the text of a Python literal.
_DAMAGE = (ValueError, TypeError, SyntaxError, RecursionError, tokenize.TokenError)


class OwnSource:
    """The recordings that the table lists, one at a time in the order of their names.

    Args:
        files: Arrays, table and classes.
        raw: Where they are, for messages.
        layout: The joints that the arrays have.

    Attributes:
        left_out: Arrays that the table does not list, and columns that mean nothing here.
        classes: Names of the classes by label.
        columns: Further columns of the index: a value by the name of the recording.

    Raises:
        InputError: If the table is missing or cannot be understood.
    """

    def __init__(self, files: RawFiles, raw: Place, layout: Skeleton) -> None:
        self._files = files
        self._layout = layout
        self._there = frozenset(files.names)
        index = read_own_index(files, raw)
        self._rows = index.rows
        self.classes = index.classes
        parts = {row.recording.name: row.part for row in index.rows}
        self.columns: Mapping[str, Mapping[str, str]] = {"part": parts} if index.has_parts else {}
        unlisted = {name for name in files.names if name.endswith(ARRAYS)}
        unlisted -= {row.file for row in index.rows}
        self.left_out = {"arrays that the table does not list": len(unlisted)}
        if index.unused_columns:
            passed_over = f"columns passed over ({', '.join(index.unused_columns)})"
            self.left_out[passed_over] = len(index.unused_columns)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[RecordedBodies | Quarantined]:
        return self.starting_at(0)

    def starting_at(self, first: int) -> Iterator[RecordedBodies | Quarantined]:
        """The recordings from a place on, without reading those before it."""
        return ordered_map(self._read, self._rows[first:])

    def _read(self, row: ListedRecording) -> RecordedBodies | Quarantined:
        try:
            if row.file not in self._there:
                raise ValueError("there is no such file in the raw data")
            array = read_array(self._files.read(row.file))
            return RecordedBodies(row.recording, checked_bodies(array, self._layout))
        except (ValueError, DamagedFileError) as error:
            return Quarantined(row.recording.name, row.file, str(error))


def read_array(content: bytes) -> np.ndarray:
    """The array in a ``.npy`` file; nothing in it is run, and a header cannot claim much memory.

    Raises:
        ValueError: If it is none, is damaged, or holds anything but numbers.
    """
    stream = io.BytesIO(content)
    try:
        shape, dtype = _header(stream)
    except _DAMAGE as error:
        raise ValueError(f"not an .npy file ({error})") from error
    if dtype.kind not in "fiu":
        raise ValueError(f"holds {dtype}, expected numbers")
    declared = dtype.itemsize
    for length in shape:
        declared *= length
    held = len(content) - stream.tell()
    if declared != held:
        raise ValueError(f"holds {held} bytes, expected {declared} for {dtype} {shape}")
    array: np.ndarray = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(stream)
    return shape, dtype


def checked_bodies(array: np.ndarray, layout: Skeleton) -> np.ndarray:
    """The bodies of a recording, given as (T, V, 3) or (M, T, V, 3).

    Returns:
        (M, T, V, C) float32.

    Raises:
        ValueError: If the shape is another, a value is not finite, or there is nothing.
    """
    joints = len(layout.joints)
    if array.ndim not in (3, 4) or array.shape[-1] != _AXES:
        raise ValueError(
            f"the shape is {array.shape}, expected (frames, {joints}, {_AXES}) "
            f"or (bodies, frames, {joints}, {_AXES})"
        )
    if array.shape[-2] != joints:
        raise ValueError(f"{array.shape[-2]} joints, expected {joints} as in {layout.name}")
    if not array.size:
        raise ValueError("empty: no frames" if array.shape[-3] == 0 else "empty: no bodies")
    with np.errstate(over="ignore"):  # what does not fit into float32 is told below
        bodies = array.reshape(-1, *array.shape[-3:]).astype(np.float32)
    strange = np.argwhere(~np.isfinite(bodies))
    if len(strange):
        body, frame, joint, axis = strange[0]
        raise ValueError(
            f"body {body}, frame {frame}, {layout.joints[joint]}, {'xyz'[axis]}: "
            f"{array.reshape(bodies.shape)[tuple(strange[0])]} is not a finite number"
        )
    if not present(bodies)[0].any():
        raise ValueError("empty: every coordinate of the first body is zero")
    return bodies
