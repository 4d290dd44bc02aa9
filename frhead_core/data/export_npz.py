"""A sequence store as the reference prepares its data: ``NTU60_CS.npz`` and the like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from frhead_core.data.npz_stream import StreamedArray, write_npz
from frhead_core.data.reference_layout import (
    AXES,
    JOINTS,
    PERSONS,
    WIDTH,
    ReferenceLayout,
    reference_layout,
)
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting

_LABELS_AT_ONCE = 1024


def export_reference_npz(
    directory: Path, benchmark: str, output: Path, reporter: Reporter = SILENT
) -> dict[str, int]:
    """Write the file that the reference prepares, row by row.

    ``x_<part>`` (n, T, 150) float32, padded with zeros to the longest sequence of the benchmark,
    ``y_<part>`` (n, K) one-hot float64, and in the one-shot protocol ``name_<part>`` (n,) bytes.

    Args:
        directory: A sequence store.
        benchmark: Name of a recipe that the store serves.
        output: The file.
        reporter: Told of the progress.

    Returns:
        Number of rows by part.

    Raises:
        InputError: If the store does not serve the benchmark, or the file cannot be written.
    """
    layout = reference_layout(benchmark)
    store = SequenceStore.open(directory)
    rows = {suffix: layout.rows(store, part) for suffix, part in layout.parts.items()}
    everything = np.concatenate(list(rows.values()))
    _check(store, layout, everything)
    frames = int(store.index["frames"].to_numpy()[everything].max())
    with reporting(reporter, "exporting", len(everything), "sequences"):
        write_npz(output, _arrays(store, layout, rows, frames, reporter))
    return {suffix: len(chosen) for suffix, chosen in rows.items()}


def _check(store: SequenceStore, layout: ReferenceLayout, rows: np.ndarray) -> None:
    index = store.index
    problems = {
        "no sequence": 0 if len(rows) else 1,
        "another joint layout": int(store.metadata.skeleton != "ntu"),
        "more than two bodies": int((index["bodies"].to_numpy()[rows] > PERSONS).sum()),
        "another class": int((index["label"].to_numpy()[rows] >= layout.classes).sum()),
    }
    for problem, count in problems.items():
        if count:
            raise InputError(
                "does not fit the file that the reference prepares",
                file=store.directory,
                field=layout.benchmark,
                found=problem,
                expected=f"{JOINTS} joints, 1 or {PERSONS} bodies, {layout.classes} classes",
            )


def _arrays(
    store: SequenceStore,
    layout: ReferenceLayout,
    rows: dict[str, np.ndarray],
    frames: int,
    reporter: Reporter,
) -> Iterator[tuple[str, StreamedArray]]:
    names = store.index["name"].to_numpy(dtype=object)
    labels = store.index["label"].to_numpy(dtype=np.int64)
    for suffix, chosen in rows.items():
        yield (
            f"x_{suffix}",
            StreamedArray(
                (len(chosen), frames, WIDTH),
                np.dtype("<f4"),
                _padded(store, chosen, frames, layout.repeats_lone_body, reporter),
            ),
        )
        yield (
            f"y_{suffix}",
            StreamedArray(
                (len(chosen), layout.classes),
                np.dtype("<f8"),
                _one_hot(labels[chosen], layout.classes),
            ),
        )
        if layout.named:
            text = np.array([name.encode() for name in names[chosen]], dtype=np.bytes_)
            yield f"name_{suffix}", StreamedArray(text.shape, text.dtype, [text])


def _padded(
    store: SequenceStore, rows: np.ndarray, frames: int, repeat: bool, reporter: Reporter
) -> Iterator[np.ndarray]:
    for row in rows:
        sequence = store.read_sequence(int(row))  # M T V C
        padded = np.zeros((frames, PERSONS, JOINTS, AXES), dtype=np.float32)
        persons = PERSONS if repeat and len(sequence) == 1 else len(sequence)
        padded[: sequence.shape[1], :persons] = sequence.swapaxes(0, 1)
        reporter.advance()
        yield padded


def _one_hot(labels: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    for first in range(0, len(labels), _LABELS_AT_ONCE):
        some = labels[first : first + _LABELS_AT_ONCE]
        yield (some[:, np.newaxis] == np.arange(classes)).astype(np.float64)
