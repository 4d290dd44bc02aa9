"""The step that reads the raw files of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frhead_core.config import Preparation
from frhead_core.data.packed import RawBodies, StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.quarantine import refuse_nothing, stop_above
from frhead_core.data.raw_files import open_raw_files
from frhead_core.data.recordings import Quarantined
from frhead_core.data.registry import find_dataset, joints_of
from frhead_core.data.sources import open_source
from frhead_core.data.step_report import StepReport
from frhead_core.data.tracked_bodies import (
    TrackedBodies,
    TrackedRecording,
    add_tracked,
    tracked_bodies_writer,
)
from frhead_core.progress import SILENT, Reporter, reporting


def extract_raw_skeletons(
    dataset: str,
    raw: Path,
    output: Path,
    preparation: Preparation,
    data_fingerprint: str,
    reporter: Reporter = SILENT,
    progress_directory: Path | None = None,
) -> StepReport:
    """Read the raw files into a packed directory of raw bodies, or of tracked ones.

    Args:
        dataset: Name of the dataset.
        raw: Directory or zip archive with its files, or several, separated by commas.
        output: The directory to make.
        preparation: The recipe's settings.
        data_fingerprint: What :func:`fingerprint` said of ``raw``; it travels with the data.
        reporter: Told of the progress.
        progress_directory: From where an interrupted extraction goes on.

    Raises:
        InputError: If the raw data cannot be opened or files of the benchmark are missing.
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    with (
        open_raw_files(raw, find_dataset(dataset).suffix) as files,
        _raw_writer(
            dataset,
            output,
            data_fingerprint,
            progress_directory=progress_directory,
            settings=repr(preparation),
            reporter=reporter,
        ) as writer,
    ):
        source = open_source(dataset, files, raw, preparation)
        limit = preparation.max_quarantined_share * len(source)
        with reporting(reporter, "reading recordings", len(source), "recordings", writer.done):
            for item in source.starting_at(writer.done):
                if isinstance(item, Quarantined):
                    writer.quarantined.append(item)
                    stop_above(limit, writer.quarantined, len(source), raw)
                elif isinstance(item, TrackedRecording):
                    add_tracked(writer, item)
                else:
                    writer.add(item.recording, item.bodies)
                writer.items_done()
                reporter.advance()
        refuse_nothing(writer.sequences, writer.quarantined, raw)
        writer.report = StepReport(
            step="Extracted raw skeletons",
            dataset=dataset,
            numbers={
                "recordings found": len(source),
                "recordings kept": writer.sequences,
                "recordings quarantined": len(writer.quarantined),
                "body frames": writer.frames,
            }
            | dict(source.left_out)
            | dict(writer.counts),
            quarantined=tuple(writer.quarantined),
        )
        return writer.report


def _raw_writer(dataset: str, output: Path, data_fingerprint: str, **options: Any) -> PackedWriter:
    """A writer of raw bodies, or of tracked ones if denoising has to choose among them."""
    rectangular = find_dataset(dataset).passes_denoising is not None
    kind, writer = (
        (RawBodies.kind, PackedWriter)
        if rectangular
        else (TrackedBodies.kind, tracked_bodies_writer)
    )
    metadata = _metadata(kind, dataset, data_fingerprint)
    return writer(output, metadata, joints=joints_of(dataset), **options)


def _metadata(kind: str, dataset: str, data_fingerprint: str) -> StoreMetadata:
    facts = find_dataset(dataset)
    return StoreMetadata(
        kind=kind,
        dataset=dataset,
        skeleton=facts.skeleton,
        dtype=facts.dtype,
        data_fingerprint=data_fingerprint,
        classes=facts.classes,
    )
