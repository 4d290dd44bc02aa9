"""The step that makes the sequence store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from frhead_core.config import Preparation, Split
from frhead_core.data.packed import DenoisedSequences
from frhead_core.data.packed_copy import copy_sequences, open_for
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.parts import count_parts, part_columns
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.registry import find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import PART_PREFIX, SequenceStore
from frhead_core.progress import SILENT, Reporter


def transform_sequences(
    dataset: str,
    denoised: Path,
    output: Path,
    splits: Mapping[str, Split],
    preparation: Preparation,
    reporter: Reporter = SILENT,
    progress_directory: Path | None = None,
) -> StepReport:
    """Centre the sequences and mark who trains and who tests.

    Args:
        dataset: Name of the dataset.
        denoised: The directory that :func:`denoise_skeletons` made.
        output: The sequence store to make.
        splits: The split of each benchmark of the dataset, by the benchmark's name.
        preparation: The recipe's settings.
        reporter: Told of the progress.
        progress_directory: From where an interrupted transformation goes on.

    Raises:
        InputError: If ``denoised`` cannot be used, or a recording is in no part of a split.
    """
    facts = find_dataset(dataset)
    sequences = open_for(dataset, DenoisedSequences, denoised)
    metadata = replace(sequences.metadata, kind=SequenceStore.kind)
    layout = sequences.layout
    parts, notes = part_columns(sequences.index, splits, preparation)
    with PackedWriter(
        output,
        metadata,
        joints=len(layout.joints),
        progress_directory=progress_directory,
        settings=repr(preparation),
        reporter=reporter,
    ) as writer:
        writer.start_with(sequences.quarantined())
        for name, values in parts.items():
            writer.add_column(PART_PREFIX + name, values)

        def centred(batch: RaggedBatch) -> np.ndarray:
            return facts.centre(batch, layout.center)

        copy_sequences(sequences, writer, centred, "centring", reporter)
        numbers = {"sequences": writer.sequences, "body frames": writer.frames}
        numbers |= count_parts(parts)
        writer.report = StepReport(
            step="Transformed sequences",
            dataset=dataset,
            numbers=numbers,
            notes=(
                f"Every sequence starts with the {layout.joints[layout.center]} at the origin.",
                *notes,
            ),
            quarantined=tuple(writer.quarantined),
        )
        return writer.report
