"""From one packed directory to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from frhead_core.data.packed import PackedSequences
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.ragged import RaggedBatch, read_batch
from frhead_core.errors import InputError
from frhead_core.progress import Reporter, reporting

_HANDFUL = 16  # recordings; their coordinates stay in the processor's cache

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
    change: Callable[[RaggedBatch], np.ndarray],
    task: str,
    reporter: Reporter,
) -> None:
    """Write all sequences changed, and further columns of the index as they are.

    An interrupted step passes over those that it has written.

    Args:
        sequences: To read.
        writer: Of sequences with the same frames and bodies.
        change: Makes the rows to write, (R, V, C), of a batch.
        task: For the reporter.
        reporter: Told of the progress.
    """
    with reporting(reporter, task, len(sequences), "sequences", writer.done):
        for rows in handfuls(writer.done, len(sequences)):
            batch = read_batch(sequences, rows)
            writer.add_batch(sequences.recordings(rows), batch, change(batch))
            writer.items_done(len(rows))
            reporter.advance(len(rows))
    for name, values in sequences.further_columns.items():
        writer.add_column(name, values)


def handfuls(first: int, last: int) -> Iterator[range]:
    """The numbers from ``first`` up to before ``last``, a few at a time.

    That many recordings are read, computed and written at once. Threads would only be in each
    other's way: the computing takes less time than it takes them to hand over Python's lock.
    """
    for begin in range(first, last, _HANDFUL):
        yield range(begin, min(begin + _HANDFUL, last))
