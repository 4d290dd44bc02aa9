"""Writing a packed directory: as a stream, and complete or not at all."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

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

    Raises:
        InputError: If ``output`` holds something else already, or cannot be written.
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
        self._partial = output.with_name(f".{output.name}.{uuid.uuid4().hex[:8]}.partial")
        with self._saying_what_cannot_be_written():
            self._partial.mkdir(parents=True)
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
                with self._saying_what_cannot_be_written():
                    self._finish()
        finally:
            with suppress(OSError):  # on a full disk, closing fails once more
                self._file.close()
            shutil.rmtree(self._partial, ignore_errors=True)

    def add(self, recording: Recording, bodies: np.ndarray) -> None:
        """Append one sequence, (M, T, V, C)."""
        count, frames, *frame_shape = bodies.shape
        if tuple(frame_shape) != self._frame_shape:
            raise ValueError(f"{recording.name}: {frame_shape} is not {self._frame_shape}")
        with self._saying_what_cannot_be_written():
            self._file.write(np.ascontiguousarray(bodies, dtype=self._dtype).data)
        self._index.append((*astuple(recording), frames, count, self._rows))
        self._rows += count * frames

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
            "rows": self._rows,
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
