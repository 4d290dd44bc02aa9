"""The step that reads the raw files of a dataset."""

from __future__ import annotations

from pathlib import Path

from frhead_core.config import Preparation
from frhead_core.data.packed import RawBodies, StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.quarantine import refuse_nothing, stop_above
from frhead_core.data.raw_files import OpenArchive, Place, open_raw_files
from frhead_core.data.recordings import Quarantined
from frhead_core.data.registry import Dataset, find_dataset
from frhead_core.data.sources import Source, open_source
from frhead_core.data.step_report import StepReport
from frhead_core.data.tracked_bodies import (
    TrackedBodies,
    TrackedRecording,
    add_tracked,
    tracked_bodies_writer,
)
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting
from frhead_core.skeleton_layout import SkeletonLayout
from frhead_core.skeletons import skeleton


def extract_raw_skeletons(
    dataset: str,
    raw: Place,
    output: Path,
    preparation: Preparation,
    data_fingerprint: str,
    reporter: Reporter = SILENT,
    progress_directory: Path | None = None,
    layout: str | SkeletonLayout = "",
    open_remote: OpenArchive | None = None,
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
        layout: The recipe's joint layout; may be left out where the dataset has one.
        open_remote: Opens archives that are named by a URI.

    Raises:
        InputError: If the raw data cannot be opened, files of the benchmark are missing, or the
            dataset has another joint layout.
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    facts = find_dataset(dataset)
    chosen = _layout(dataset, facts, layout)
    with open_raw_files(raw, facts.suffix, open_remote) as files:
        source = open_source(dataset, files, raw, preparation, skeleton(chosen))
        metadata = StoreMetadata(
            kind=RawBodies.kind if facts.passes_denoising else TrackedBodies.kind,
            dataset=dataset,
            skeleton=chosen,
            dtype=facts.dtype,
            data_fingerprint=data_fingerprint,
            classes=source.classes,
        )
        # Tracked bodies have to be chosen among by denoising.
        writer_of = PackedWriter if facts.passes_denoising else tracked_bodies_writer
        with writer_of(
            output,
            metadata,
            joints=len(skeleton(chosen).joints),
            progress_directory=progress_directory,
            settings=repr(preparation),
            reporter=reporter,
        ) as writer:
            _read_all(source, writer, preparation, raw, reporter)
            for name, values in source.columns.items():
                writer.add_column(name, [values[each] for each in writer.names])
            writer.report = _report(dataset, source, writer)
            return writer.report


def _layout(dataset: str, facts: Dataset, given: str | SkeletonLayout) -> str | SkeletonLayout:
    """The joint layout of the raw data, which is the dataset's or else up to the recipe."""
    if facts.skeleton and given not in ("", facts.skeleton):
        raise InputError(
            f"{dataset} has another joint layout",
            field="skeleton",
            found=skeleton(given).name,
            expected=facts.skeleton,
        )
    return facts.skeleton or given


def _read_all(
    source: Source, writer: PackedWriter, preparation: Preparation, raw: Place, reporter: Reporter
) -> None:
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


def _report(dataset: str, source: Source, writer: PackedWriter) -> StepReport:
    return StepReport(
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
