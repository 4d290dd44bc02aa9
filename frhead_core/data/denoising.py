"""The step that chooses the actors among the tracked bodies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from frhead_core.config import Preparation
from frhead_core.data import ntu_names
from frhead_core.data.ntu_filter import filter_bodies
from frhead_core.data.packed import DenoisedSequences, RawBodies
from frhead_core.data.packed_copy import copy_sequences, open_for
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.registry import find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.tracked_bodies import TrackedBodies
from frhead_core.progress import SILENT, Reporter


def denoise_skeletons(
    dataset: str,
    raw_bodies: Path,
    output: Path,
    preparation: Preparation,
    reporter: Reporter = SILENT,
    progress_directory: Path | None = None,
) -> StepReport:
    """Choose the actors among the tracked bodies.

    NW-UCLA and datasets of one's own pass through, and the report says so.

    Args:
        dataset: Name of the dataset.
        raw_bodies: The directory that :func:`extract_raw_skeletons` made.
        output: The directory to make.
        preparation: The recipe's settings.
        reporter: Told of the progress.
        progress_directory: From where an interrupted denoising goes on.

    Raises:
        InputError: If ``raw_bodies`` cannot be used.
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    facts = find_dataset(dataset)
    if facts.passes_denoising is None:
        return filter_bodies(
            open_for(dataset, TrackedBodies, raw_bodies),
            output,
            preparation,
            suffix=ntu_names.SUFFIX,
            reporter=reporter,
            progress_directory=progress_directory,
        )
    bodies = open_for(dataset, RawBodies, raw_bodies)
    metadata = replace(bodies.metadata, kind=DenoisedSequences.kind)
    with PackedWriter(
        output,
        metadata,
        joints=len(bodies.layout.joints),
        progress_directory=progress_directory,
        reporter=reporter,
    ) as writer:
        writer.start_with(bodies.quarantined())
        copy_sequences(bodies, writer, lambda batch: batch.rows, "denoising", reporter)
        writer.report = StepReport(
            step="Denoised skeletons",
            dataset=dataset,
            numbers={"sequences": writer.sequences, "sequences changed": 0},
            notes=(facts.passes_denoising,),
            quarantined=tuple(writer.quarantined),
        )
        return writer.report
