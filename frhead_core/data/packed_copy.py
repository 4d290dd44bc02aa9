"""From one packed directory to the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from frhead_core.data.ordered import ordered_map
from frhead_core.data.packed import PackedSequences
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.recordings import Recording
from frhead_core.errors import InputError
from frhead_core.progress import Reporter, reporting

HANDFUL = 16  # recordings; a thread changes one in about a tenth of a millisecond

Packed = TypeVar("Packed", bound=PackedSequences)


def open_for(dataset: str, kind: type[Packed], directory: Path) -> Packed:
    """Open a packed directory of a dataset.

    Raises:
        InputError: If it is none of that kind, or of another dataset.
    """
    packed = kind.open(directory)
    if packed.metadata.dataset != dataset:
        raise InputError(
            "holds another dataset",
            file=directory,
            field="dataset",
            found=packed.metadata.dataset,
            expected=dataset,
        )
    return packed


def copy_sequences(
    sequences: PackedSequences,
    writer: PackedWriter,
    change: Callable[[np.ndarray], np.ndarray],
    task: str,
    reporter: Reporter,
) -> None:
    """Write every sequence changed, and further columns of the index as they are.

    An interrupted step passes over those that it has written.
    """

    def changed(row: int) -> tuple[Recording, np.ndarray]:
        return sequences.recording(row), change(sequences.read_sequence(row))

    rows = range(writer.done, len(sequences))
    with reporting(reporter, task, len(sequences), "sequences", writer.done):
        for recording, sequence in ordered_map(changed, rows, together=HANDFUL):
            writer.add(recording, sequence)
            writer.item_done()
            reporter.advance()
    for name, values in sequences.further_columns.items():
        writer.add_column(name, values)
