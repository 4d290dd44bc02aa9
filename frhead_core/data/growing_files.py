"""Files that only grow, and can be cut back to a length that they once had."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

_BUFFER = 1 << 19  # bytes; the system takes few large pieces in half the time of many small ones


class GrowingFile(Protocol):
    """What arrays and tables that grow have in common."""

    def sync(self) -> int:
        """Bring everything to the disk; the length in bytes."""
        ...

    def finish(self) -> None:
        """Complete and close the file."""
        ...

    def close(self) -> None:
        """Close the file as it is."""
        ...


class GrowingArray:
    """An .npy file that grows along its first axis.

    Args:
        path: The file, made anew or cut back.
        dtype: Of its numbers.
        row_shape: The axes after the first.
        kept: Length in bytes to cut an existing file back to; None makes it anew.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], row_shape: tuple[int, ...], kept: int | None = None
    ) -> None:
        self._dtype = dtype
        self._row_shape = row_shape
        self._row_bytes = dtype.itemsize * int(np.prod(row_shape, dtype=np.int64))
        self._file = _opened(path, kept)
        self._write_header(0)
        self._header_bytes = self._file.tell()
        self.rows = 0 if kept is None else (kept - self._header_bytes) // self._row_bytes
        self._file.seek(0, os.SEEK_END)

    def append(self, rows: np.ndarray) -> None:
        """Add rows, (n, *row_shape)."""
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"rows of shape {rows.shape[1:]} are not {self._row_shape}")
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self.rows += len(rows)

    def sync(self) -> int:
        return _synced(self._file)

    def finish(self) -> None:
        self._file.seek(0)
        self._write_header(self.rows)
        self.close()

    def close(self) -> None:
        self._file.close()

    def _write_header(self, rows: int) -> None:
        # NumPy leaves room for the first axis to grow, so the header's size does not change.
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (rows, *self._row_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


class GrowingTable:
    """A CSV file that grows by rows.

    Args:
        path: The file, made anew or cut back.
        columns: Their names, for the first line.
        kept: Length in bytes to cut an existing file back to; None makes it anew.
    """

    def __init__(self, path: Path, columns: Iterable[str], kept: int | None = None) -> None:
        self._file = _opened(path, kept)
        self._file.seek(0, os.SEEK_END)
        self._text = io.TextIOWrapper(self._file, encoding="utf-8", newline="")
        self._table = csv.writer(self._text, lineterminator="\n")
        if kept is None:
            self._table.writerow(columns)

    def append(self, rows: Iterable[Iterable[Any]]) -> None:
        """Add rows, each with a value for every column."""
        self._table.writerows(rows)

    def sync(self) -> int:
        self._text.flush()
        return _synced(self._file)

    def finish(self) -> None:
        self.close()

    def close(self) -> None:
        self._text.close()


def _opened(path: Path, kept: int | None) -> BinaryIO:
    if kept is None:
        return path.open("w+b", buffering=_BUFFER)
    file = path.open("r+b", buffering=_BUFFER)
    file.truncate(kept)
    return file


def _synced(file: BinaryIO) -> int:
    file.flush()
    os.fsync(file.fileno())
    return file.tell()
