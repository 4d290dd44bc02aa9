"""Writing a packed directory: as a stream, and complete or not at all."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from frhead_core.data.growing_files import GrowingArray, GrowingFile, GrowingTable
from frhead_core.data.packed import INDEX_COLUMNS, StoreMetadata
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.step_report import StepReport
from frhead_core.errors import InputError


class PackedWriter:
    """Writes a packed directory; it appears under its name complete or not at all.

    Used as a context manager: leaving it normally puts the directory in place (instead of an
    empty one, or an older packed one), leaving it by an exception removes what was written.

    Args:
        output: The directory to make.
        metadata: Its description, without the counts.
        joints: V.
        channels: C.
        tables: Further CSV files that grow, with their columns.
        row_arrays: Further .npy files with one number for every row of the coordinates.

    Attributes:
        quarantined: Recordings left out, to be appended to.
        counts: Numbers of this step's own, for its report.
        report: What the step did, to be set before leaving.

    Raises:
        InputError: If ``output`` holds something else already, or cannot be written.
    """

    def __init__(
        self,
        output: Path,
        metadata: StoreMetadata,
        *,
        joints: int,
        channels: int = 3,
        tables: Mapping[str, tuple[str, ...]] | None = None,
        row_arrays: Mapping[str, DTypeLike] | None = None,
    ) -> None:
        _refuse_foreign(output)
        self.quarantined: list[Quarantined] = []
        self.counts: Counter[str] = Counter()
        self.report: StepReport | None = None
        self._output = output
        self._metadata = metadata
        self._frame_shape = (joints, channels)
        self._table_columns = dict(tables or {})
        self._row_dtypes = dict(row_arrays or {})
        self._index: list[tuple[Any, ...]] = []
        self._columns: dict[str, list[str]] = {}

    @property
    def sequences(self) -> int:
        """How many sequences have been added."""
        return len(self._index)

    @property
    def frames(self) -> int:
        """How many rows, that is frames times bodies, have been added."""
        return self._coordinates.rows

    def __enter__(self) -> Self:
        output = self._output
        self._partial = output.with_name(f".{output.name}.{uuid.uuid4().hex[:8]}.partial")
        with self._saying_what_cannot_be_written():
            self._partial.mkdir(parents=True)
            self._open_files()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with self._saying_what_cannot_be_written():
                    self._finish()
        finally:
            for file in self._growing().values():
                with suppress(OSError):  # on a full disk, closing fails once more
                    file.close()
            shutil.rmtree(self._partial, ignore_errors=True)

    def add(self, recording: Recording, bodies: np.ndarray) -> None:
        """Append one sequence, (M, T, V, C)."""
        count, frames, *frame_shape = bodies.shape
        self.add_rows(recording, frames, count, bodies.reshape(-1, *frame_shape))

    def add_rows(
        self,
        recording: Recording,
        frames: int,
        bodies: int,
        rows: np.ndarray,
        **row_values: np.ndarray,
    ) -> None:
        """Append one sequence whose bodies need not have the same number of frames.

        Args:
            recording: Whose it is.
            frames: For the index.
            bodies: For the index.
            rows: (R, V, C), the frames of the first body, then those of the next.
            **row_values: For each file of ``row_arrays``, by its name without ``.npy``: (R,).
        """
        if rows.shape[1:] != self._frame_shape:
            raise ValueError(f"{recording.name}: {rows.shape[1:]} is not {self._frame_shape}")
        self._index.append((*astuple(recording), frames, bodies, self.frames))
        with self._saying_what_cannot_be_written():
            self._coordinates.append(rows)
            for name, file in self._row_arrays.items():
                file.append(row_values[name.removesuffix(".npy")])

    def add_to_table(self, table: str, *rows: tuple[Any, ...]) -> None:
        """Append rows to one of the ``tables``."""
        with self._saying_what_cannot_be_written():
            self._tables[table].append(rows)

    def add_column(self, name: str, values: list[str]) -> None:
        """Add an index column: a value for every sequence, in the order they were added."""
        self._columns[name] = values

    @contextmanager
    def _saying_what_cannot_be_written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(
                f"cannot be written ({error.strerror})",
                file=self._output,
                hint="Make room or name another output, and run the same command again",
            ) from error

    def _open_files(self) -> None:
        self._coordinates = GrowingArray(
            self._partial / "coordinates.npy", np.dtype(self._metadata.dtype), self._frame_shape
        )
        self._row_arrays = {
            name: GrowingArray(self._partial / name, np.dtype(dtype), ())
            for name, dtype in self._row_dtypes.items()
        }
        self._tables = {
            name: GrowingTable(self._partial / name, columns)
            for name, columns in self._table_columns.items()
        }

    def _growing(self) -> dict[str, GrowingFile]:
        return {"coordinates.npy": self._coordinates, **self._row_arrays, **self._tables}

    def _finish(self) -> None:
        for file in self._growing().values():
            file.finish()
        _write_table(
            self._partial / "index.csv",
            (*INDEX_COLUMNS, *self._columns),
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
            "rows": self.frames,
            "quarantined": len(self.quarantined),
        }
        _write_json(self._partial / "metadata.json", asdict(replace(self._metadata, counts=counts)))
        if self.report is not None:
            self.report.write(self._partial)
        _put_in_place(self._partial, self._output)


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
