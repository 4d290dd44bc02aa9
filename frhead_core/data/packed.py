"""Sequences of different lengths packed into one directory: written as a stream, read as a map.

The rows of all sequences lie one after the other in ``coordinates.npy``; ``index.csv`` says where
each begins. Nothing is padded, and neither writing nor reading holds more than the index and one
sequence in memory.
"""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.step_report import StepReport
from frhead_core.errors import InputError

FORMAT_VERSION = 1
_INDEX_COLUMNS = (*(item.name for item in fields(Recording)), "frames", "bodies", "first_row")


@dataclass(frozen=True)
class StoreMetadata:
    """What a packed directory says of itself. ``classes`` are names by class index."""

    kind: str
    dataset: str
    skeleton: str
    dtype: str
    data_fingerprint: str
    classes: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION


class PackedWriter:
    """Writes a packed directory; it appears under its name complete or not at all.

    Used as a context manager: leaving it normally puts the directory in place (instead of an
    empty one, or an older packed one), leaving it by an exception removes what was written.

    Args:
        output: The directory to make.
        metadata: Its description, without the counts.
        joints: V.
        channels: C.

    Raises:
        InputError: If ``output`` holds something else already.
    """

    def __init__(
        self, output: Path, metadata: StoreMetadata, *, joints: int, channels: int = 3
    ) -> None:
        _refuse_foreign(output)
        self.quarantined: list[Quarantined] = []
        self.report: StepReport | None = None
        self._output = output
        self._metadata = metadata
        self._frame_shape = (joints, channels)
        self._dtype = np.dtype(metadata.dtype)
        self._index: list[tuple[Any, ...]] = []
        self._columns: dict[str, list[str]] = {}
        self._rows = 0

    @property
    def sequences(self) -> int:
        """How many sequences have been added."""
        return len(self._index)

    @property
    def frames(self) -> int:
        """How many rows, that is frames times bodies, have been added."""
        return self._rows

    def __enter__(self) -> Self:
        output = self._output
        output.parent.mkdir(parents=True, exist_ok=True)
        self._partial = output.with_name(f".{output.name}.{uuid.uuid4().hex[:8]}.partial")
        self._partial.mkdir()
        self._file = (self._partial / "coordinates.npy").open("wb")
        self._write_header()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._file.close()
            shutil.rmtree(self._partial, ignore_errors=True)

    def add(self, recording: Recording, bodies: np.ndarray) -> None:
        """Append one sequence, (M, T, V, C)."""
        count, frames, *frame_shape = bodies.shape
        if tuple(frame_shape) != self._frame_shape:
            raise ValueError(f"{recording.name}: {frame_shape} is not {self._frame_shape}")
        self._file.write(np.ascontiguousarray(bodies, dtype=self._dtype).data)
        self._index.append((*astuple(recording), frames, count, self._rows))
        self._rows += count * frames

    def add_column(self, name: str, values: list[str]) -> None:
        """Add an index column: a value for every sequence, in the order they were added."""
        self._columns[name] = values

    def _write_header(self) -> None:
        # NumPy leaves room for the first axis to grow, so the header's size does not change.
        self._file.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._frame_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)

    def _finish(self) -> None:
        self._write_header()
        self._file.close()
        _write_table(
            self._partial / "index.csv",
            (*_INDEX_COLUMNS, *self._columns),
            [
                (*row, *values)
                for row, *values in zip(self._index, *self._columns.values(), strict=True)
            ],
        )
        _write_table(
            self._partial / "quarantine.csv",
            tuple(item.name for item in fields(Quarantined)),
            [astuple(entry) for entry in self.quarantined],
        )
        counts = {
            "sequences": self.sequences,
            "rows": self._rows,
            "quarantined": len(self.quarantined),
        }
        _write_json(self._partial / "metadata.json", asdict(replace(self._metadata, counts=counts)))
        if self.report is not None:
            self.report.write(self._partial)
        _put_in_place(self._partial, self._output)


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

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the file itself instead of receiving a copy of it.
        return type(self).open, (self.directory,)

    def sequence(self, row: int) -> np.ndarray:
        """The sequence of an index row, a read-only view (M, T, V, C)."""
        entry = self.index.iloc[row]
        first, bodies, frames = int(entry.first_row), int(entry.bodies), int(entry.frames)
        rows = self.coordinates[first : first + bodies * frames]
        return rows.reshape(bodies, frames, *rows.shape[1:])

    def recording(self, row: int) -> Recording:
        """The identity of an index row."""
        entry = self.index.iloc[row]
        numbers = {item.name: int(entry[item.name]) for item in fields(Recording)[1:]}
        return Recording(name=str(entry["name"]), **numbers)

    def quarantined(self) -> list[Quarantined]:
        """The recordings that were left out, with the reasons."""
        with (self.directory / "quarantine.csv").open(encoding="utf-8", newline="") as file:
            return [Quarantined(**row) for row in csv.DictReader(file)]

    def _check_complete(self) -> None:
        expected = dict(self.metadata.counts)
        rows = int((self.index["frames"] * self.index["bodies"]).sum())
        found = {"sequences": len(self.index), "rows": rows}
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
        return StoreMetadata(**(data | {"classes": tuple(data["classes"])}))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"is not the description of a packed directory ({error})", file=path
        ) from error


def _read_index(path: Path) -> pd.DataFrame:
    try:
        index = pd.read_csv(path, keep_default_na=False, dtype={"name": str})
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", file=path) from error
    missing = [column for column in _INDEX_COLUMNS if column not in index.columns]
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


def _write_table(path: Path, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def _refuse_foreign(output: Path) -> None:
    """Only nothing, an empty directory or an older packed directory may be replaced."""
    if not output.exists():
        return
    replaceable = output.is_dir() and (
        (output / "metadata.json").is_file() or not any(output.iterdir())
    )
    if not replaceable:
        raise InputError(
            "exists and is not a directory that this step made",
            file=output,
            hint="Name another output, or remove it",
        )


def _put_in_place(partial: Path, output: Path) -> None:
    if output.is_dir() and any(output.iterdir()):
        replaced = partial.with_name(partial.name + ".replaced")
        output.replace(replaced)
        partial.replace(output)
        shutil.rmtree(replaced)
    else:
        partial.replace(output)
