"""Writing a packed directory: as a stream, and complete or not at all."""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, fields, replace
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from frhead_core.data.growing_files import GrowingArray, GrowingFile, GrowingTable
from frhead_core.data.journal import Entry, Journal
from frhead_core.data.packed import INDEX_COLUMNS, StoreMetadata
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.step_report import StepReport
from frhead_core.errors import InputError
from frhead_core.files import put_in_place
from frhead_core.progress import SILENT, Reporter

identity = attrgetter(*(item.name for item in fields(Recording)))  # astuple copies deeply
_STRETCH = 256  # items between two entries of the journal


class PackedWriter:
    """Writes a packed directory; it appears under its name complete or not at all.

    Used as a context manager: leaving it normally puts the directory in place (instead of an
    empty one, or an older packed one), leaving it by an exception removes what was written,
    unless there is a progress directory. Then an interrupted step goes on where it stopped:
    it passes over the first ``done`` items of its work, tells :meth:`items_done` of the others,
    and keeps what it counts in ``quarantined`` and ``counts``.

    Args:
        output: The directory to make.
        metadata: Its description, without the counts.
        joints: V.
        channels: C.
        tables: Further CSV files that grow, with their columns.
        row_arrays: Further .npy files with one number for every row of the coordinates.
        progress_directory: Where the files grow until they are complete; the same for the same
            step on the same data.
        settings: What the step's result depends on besides its data; progress made with other
            settings is thrown away.
        reporter: Told if another process has to be waited for.

    Attributes:
        done: Items of the step's work that are finished.
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
        progress_directory: Path | None = None,
        settings: str = "",
        reporter: Reporter = SILENT,
    ) -> None:
        _refuse_foreign(output)
        self.done = 0
        self.quarantined: list[Quarantined] = []
        self.counts: Counter[str] = Counter()
        self.report: StepReport | None = None
        self._output = output
        self._saying_what_cannot_be_written = _SayingWhatCannotBeWritten(output)
        self._metadata = metadata
        self._frame_shape = (joints, channels)
        self._table_columns = dict(tables or {})
        self._row_dtypes = dict(row_arrays or {})
        self._index: list[tuple[Any, ...]] = []
        self._columns: dict[str, list[str]] = {}
        self._recorded = (0, 0)  # sequences and quarantined recordings in the journal
        self._reporter = reporter
        self._journal: Journal | None = None
        if progress_directory is not None:
            identity = {"step": asdict(metadata), "settings": settings}
            self._journal = Journal(progress_directory, identity)

    @property
    def sequences(self) -> int:
        """How many sequences have been added."""
        return len(self._index)

    @property
    def names(self) -> list[str]:
        """Names of the sequences that have been added, in that order."""
        return [str(row[0]) for row in self._index]

    @property
    def frames(self) -> int:
        """How many rows, that is frames times bodies, have been added."""
        return self._coordinates.rows

    def __enter__(self) -> Self:
        output = self._output
        with self._saying_what_cannot_be_written:
            if self._journal is None:
                name = f".{output.name}.{uuid.uuid4().hex[:8]}.partial"
                self._partial = output.with_name(name)
                self._partial.mkdir(parents=True)
                self._open_files({})
            else:
                self._partial = self._journal.files
                self._journal.open(self._reporter)
                self._restore(self._journal.entries)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with self._saying_what_cannot_be_written:
                    self._finish()
        finally:
            for file in self._growing().values():
                with suppress(OSError):  # on a full disk, closing fails once more
                    file.close()
            if self._journal is not None:
                self._journal.close()
            else:
                shutil.rmtree(self._partial, ignore_errors=True)

    def add(self, recording: Recording, bodies: np.ndarray) -> None:
        """Append one sequence, (M, T, V, C)."""
        count, frames, *frame_shape = bodies.shape
        self.add_rows(recording, frames, count, bodies.reshape(-1, *frame_shape))

    def add_batch(
        self, recordings: Sequence[Recording], batch: RaggedBatch, rows: np.ndarray
    ) -> None:
        """Append sequences with the frames and bodies of a batch, but other rows (R, V, C)."""
        first = (self.frames + batch.starts).tolist()
        whose = map(identity, recordings)
        places = zip(batch.frames.tolist(), batch.bodies.tolist(), first, strict=True)
        self._index += [(*who, *place) for who, place in zip(whose, places, strict=True)]
        with self._saying_what_cannot_be_written:
            self._coordinates.append(rows)

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
        self._index.append((*identity(recording), frames, bodies, self.frames))
        with self._saying_what_cannot_be_written:
            self._coordinates.append(rows)
            for name, file in self._row_arrays.items():
                file.append(row_values[name.removesuffix(".npy")])

    def add_to_table(self, table: str, *rows: tuple[Any, ...]) -> None:
        """Append rows to one of the ``tables``."""
        with self._saying_what_cannot_be_written:
            self._tables[table].append(rows)

    def start_with(self, quarantined: Iterable[Quarantined]) -> None:
        """Take over what the steps before left out; an interrupted step has done so already."""
        if not self.done:
            self.quarantined = list(quarantined)

    def items_done(self, count: int = 1) -> None:
        """Count items of the step's work whose results have all been added."""
        stretches = self.done // _STRETCH
        self.done += count
        if self._journal is not None and self.done // _STRETCH > stretches:
            with self._saying_what_cannot_be_written:
                self._journal.append(self._entry())

    def add_column(self, name: str, values: list[str]) -> None:
        """Add an index column: a value for every sequence, in the order they were added."""
        self._columns[name] = values

    def _open_files(self, kept: Mapping[str, int]) -> None:
        """Make the growing files, or cut them back to the lengths ``kept``."""
        folder, name = self._partial, "coordinates.npy"
        dtype = np.dtype(self._metadata.dtype)
        self._coordinates = GrowingArray(folder / name, dtype, self._frame_shape, kept.get(name))
        self._row_arrays = {
            name: GrowingArray(folder / name, np.dtype(dtype), (), kept.get(name))
            for name, dtype in self._row_dtypes.items()
        }
        self._tables = {
            name: GrowingTable(folder / name, columns, kept.get(name))
            for name, columns in self._table_columns.items()
        }

    def _entry(self) -> Entry:
        """What has come to be since the last entry, and the lengths of the files."""
        sequences, quarantined = self._recorded
        self._recorded = (len(self._index), len(self.quarantined))
        return {
            "done": self.done,
            "lengths": {name: file.sync() for name, file in self._growing().items()},
            "index": self._index[sequences:],
            "quarantined": [astuple(entry) for entry in self.quarantined[quarantined:]],
            "counts": self.counts,
        }

    def _restore(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._index += [tuple(row) for row in entry["index"]]
            self.quarantined += [Quarantined(*row) for row in entry["quarantined"]]
        last: Entry = entries[-1] if entries else {"done": 0, "lengths": {}, "counts": {}}
        self.done, self.counts = last["done"], Counter(last["counts"])
        self._recorded = (len(self._index), len(self.quarantined))
        self._open_files(last["lengths"])

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
        put_in_place(self._partial, self._output)
        if self._journal is not None:
            self._journal.clear()


class _SayingWhatCannotBeWritten:
    """Turns errors of the operating system into one that tells the user what to do."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise InputError(
                f"cannot be written ({error.strerror})",
                file=self._output,
                hint="Make room or name another output, and run the same command again",
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
