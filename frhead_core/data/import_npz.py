"""Files of the reference's preparation, ``NTU60_CS.npz`` and the like, as a sequence store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frhead_core.data import ntu_names
from frhead_core.data.npz_stream import NpzFile
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.parts import count_parts
from frhead_core.data.quarantine import refuse_nothing
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.reference_layout import (
    AXES,
    JOINTS,
    PERSONS,
    WIDTH,
    ReferenceLayout,
    reference_layout,
)
from frhead_core.data.registry import find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import PART_PREFIX, SequenceStore
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting


@dataclass(frozen=True)
class _Row:
    """One row of the file: x is (T, 150), y (K,)."""

    number: int
    suffix: str
    x: np.ndarray
    y: np.ndarray
    name: str | None


def import_reference_npz(
    file: Path, benchmark: str, output: Path, reporter: Reporter = SILENT
) -> StepReport:
    """Make a sequence store of a file that the reference prepared; it is read row by row.

    The padding is taken off. A lone body is stored once, whether the file repeats it or has zeros
    beside it. Without names in the file (only those of the one-shot protocol have them), samples
    are called ``train_000000`` and so on, and nothing is known of who recorded them.

    Args:
        file: The file.
        benchmark: The benchmark that it is for: name of a recipe.
        output: The store to make.
        reporter: Told of the progress.

    Raises:
        InputError: If the file is no such file or is damaged.
    """
    layout = reference_layout(benchmark)
    with NpzFile.open(file) as arrays:
        total = _check(arrays, layout, file)
        metadata = _metadata(layout, file_fingerprint(file))
        with PackedWriter(output, metadata, joints=JOINTS) as writer:
            parts: list[str] = []
            with reporting(reporter, "importing", total, "sequences"):
                for row in _rows(arrays, layout):
                    found = _sequence(row, layout)
                    recording = _recording(row, layout, file)
                    if isinstance(found, str):
                        writer.quarantined.append(Quarantined(recording.name, file.name, found))
                    else:
                        writer.add(recording, found)
                        parts.append(layout.parts[row.suffix])
                    reporter.advance()
            refuse_nothing(writer.sequences, writer.quarantined, file)
            writer.add_column(PART_PREFIX + layout.benchmark, parts)
            writer.report = _report(writer, layout, parts)
            return writer.report


def file_fingerprint(file: Path) -> str:
    """SHA-256 of the content of a file, as hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _metadata(layout: ReferenceLayout, data_fingerprint: str) -> StoreMetadata:
    facts = find_dataset(layout.dataset)
    return StoreMetadata(
        kind=SequenceStore.kind,
        dataset=layout.dataset,
        skeleton=facts.skeleton,
        dtype=facts.dtype,
        data_fingerprint=data_fingerprint,
        classes=facts.classes,
    )


def _check(arrays: NpzFile, layout: ReferenceLayout, file: Path) -> int:
    """Number of rows, if all arrays fit each other."""
    total = 0
    for suffix in layout.parts:
        x, x_type = arrays.shape_and_dtype(f"x_{suffix}")
        y, y_type = arrays.shape_and_dtype(f"y_{suffix}")
        names, name_type = (
            arrays.shape_and_dtype(f"name_{suffix}") if layout.named else (x[:1], np.dtype("S20"))
        )
        fits = {
            f"x_{suffix}": x_type.kind == "f" and len(x) == 3 and x[-1] == WIDTH,
            f"y_{suffix}": y_type.kind in "fiub" and len(y) == 2 and y[0] == x[0],
            f"name_{suffix}": name_type.kind in "SU" and names == x[:1],
        }
        for name, right in fits.items():
            if not right:
                raise InputError(
                    "is not as in the files that the reference prepares",
                    file=file,
                    field=name,
                    found=f"x {x_type} {x}, y {y_type} {y}, names {name_type} {names}",
                    expected=f"x float (n, T, {WIDTH}), y one-hot (n, K), n names",
                )
        total += x[0]
    return total


def _rows(arrays: NpzFile, layout: ReferenceLayout) -> Iterator[_Row]:
    """All rows, in the order of the names that they get."""
    for suffix in layout.parts if layout.named else sorted(layout.parts):
        x, y = arrays.rows(f"x_{suffix}"), arrays.rows(f"y_{suffix}")
        if layout.named:
            names: Iterator[np.ndarray | None] = arrays.rows(f"name_{suffix}")
        else:
            names = iter([None] * arrays.shape_and_dtype(f"x_{suffix}")[0][0])
        for number, (values, one_hot, name) in enumerate(zip(x, y, names, strict=True)):
            yield _Row(number, suffix, values, one_hot, _text(name))


def _text(name: np.ndarray | None) -> str | None:
    if name is None:
        return None
    value = name[()]
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _recording(row: _Row, layout: ReferenceLayout, file: Path) -> Recording:
    label = int(row.y.argmax())
    one_hot = np.count_nonzero(row.y) == 1 and row.y[label] == 1
    if not one_hot or label >= layout.classes:
        raise InputError(
            "is not a one-hot label",
            file=file,
            field=f"y_{row.suffix}[{row.number}]",
            found=f"non-zero at {np.flatnonzero(row.y)[:5].tolist()}",
            expected=f"a single 1 among the first {layout.classes}",
        )
    if row.name is None:
        name = f"{row.suffix}_{row.number:06d}"
        return Recording(name, 0, 0, 0, 0, action=label + 1, label=label)
    try:
        recording = ntu_names.recording(row.name)
    except ValueError as error:
        raise InputError(
            str(error), file=file, field=f"name_{row.suffix}[{row.number}]", found=row.name
        ) from error
    if recording.label != label:
        raise InputError(
            "the label is not that of the name",
            file=file,
            field=f"y_{row.suffix}[{row.number}]",
            found=label,
            expected=f"{recording.label} for {row.name}",
        )
    return recording


def _sequence(row: _Row, layout: ReferenceLayout) -> np.ndarray | str:
    """The sequence, (M, T, V, C) float32 without padding, or why there is none."""
    used = np.flatnonzero((row.x != 0).any(axis=1))
    if not used.size:
        return "every frame is zero"
    values = row.x[: used[-1] + 1].astype(np.float32)
    if not np.isfinite(values).all():
        return "a coordinate is not finite"
    bodies = values.reshape(-1, PERSONS, JOINTS, AXES).swapaxes(0, 1)
    beside = bodies[0] if layout.repeats_lone_body else np.zeros_like(bodies[0])
    return bodies[:1] if np.array_equal(bodies[1], beside) else bodies


def _report(writer: PackedWriter, layout: ReferenceLayout, parts: list[str]) -> StepReport:
    notes = ["The sequences are as prepared elsewhere: nothing was filtered or centred here."]
    if not layout.named:
        notes.append(
            "The file names no recordings, so who recorded them is unknown: a validation part by "
            "performer, camera or setup cannot be held out."
        )
    return StepReport(
        step="Imported prepared sequences",
        dataset=layout.dataset,
        numbers={
            "sequences": writer.sequences,
            "recordings quarantined": len(writer.quarantined),
            **count_parts({layout.benchmark: parts}),
        },
        notes=tuple(notes),
        quarantined=tuple(writer.quarantined),
    )
