"""Arrays of .npz files written and read row by row, so that none is ever whole in memory."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from frhead_core.errors import InputError

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows; the same input gives the same bytes


@dataclass(frozen=True)
class StreamedArray:
    """An array to be written: ``rows`` come in pieces, each some of the entries of axis 0."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: Iterable[np.ndarray]


def write_npz(path: Path, arrays: Iterable[tuple[str, StreamedArray]]) -> None:
    """Write named arrays, uncompressed as ``numpy.savez`` does; complete or not at all.

    Raises:
        InputError: If the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays:
                with archive.open(
                    zipfile.ZipInfo(f"{name}.npy", _DATE), "w", force_zip64=True
                ) as member:
                    _write_array(member, array)
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", file=path, hint="Make room or name another"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _write_array(member: IO[bytes], array: StreamedArray) -> None:
    descr = np.lib.format.dtype_to_descr(array.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(member, header)
    for rows in array.rows:
        member.write(np.ascontiguousarray(rows, dtype=array.dtype).tobytes())


class NpzFile:
    """An .npz file whose arrays are read row by row; pickled objects in it are refused."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        self._members = members

    @property
    def names(self) -> frozenset[str]:
        """Names of the arrays."""
        return frozenset(self._members)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a file.

        Raises:
            InputError: If it cannot be read or is no .npz file.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                yield cls(path, archive)
        except zipfile.BadZipFile as error:
            raise InputError(f"is damaged or not an .npz file ({error})", file=path) from error
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=path) from error

    def shape_and_dtype(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of an array.

        Raises:
            InputError: If there is none of that name, or the file does not hold what it declares.
        """
        with self._open(name) as (_, shape, dtype):
            return shape, dtype

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """The entries of axis 0 of an array, one at a time.

        Raises:
            InputError: If there is none of that name, or it is cut off or damaged.
        """
        with self._open(name) as (member, shape, dtype):
            size = dtype.itemsize * math.prod(shape[1:])
            for row in range(shape[0]):
                try:
                    content = member.read(size)
                except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                    raise self._error(name, f"is damaged in row {row} ({error})") from error
                if len(content) != size:
                    raise self._error(name, f"is cut off in row {row}")
                yield np.frombuffer(content, dtype).reshape(shape[1:])

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
        info = self._members.get(name)
        if info is None:
            raise self._error(name, "is missing", found=", ".join(sorted(self.names)[:9]))
        try:
            member = self._archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise self._error(name, f"cannot be read ({error})") from error
        with member:
            shape, fortran_order, dtype = self._header(name, member)
            size = dtype.itemsize * math.prod(shape)
            if fortran_order or dtype.hasobject or not shape:
                raise self._error(name, "is not stored row by row as plain numbers or text")
            if member.tell() + size != info.file_size:
                raise self._error(
                    name,
                    "does not hold what it declares",
                    found=f"{info.file_size} bytes",
                    expected=f"{member.tell() + size} bytes for {dtype} {shape}",
                )
            yield member, shape, dtype

    def _header(self, name: str, member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        try:
            version = np.lib.format.read_magic(member)
            if version == (1, 0):
                return np.lib.format.read_array_header_1_0(member)
            return np.lib.format.read_array_header_2_0(member)
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise self._error(name, f"is not an array ({error})") from error

    def _error(self, name: str, problem: str, **details: object) -> InputError:
        return InputError(problem, file=self._path, field=name, **details)  # type: ignore[arg-type]
