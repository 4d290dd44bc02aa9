"""The steps that turn the raw files of a dataset into a sequence store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from frhead_core.config import Preparation, Split
from frhead_core.data.ntu_filter import filter_bodies
from frhead_core.data.packed import (
    DenoisedSequences,
    PackedSequences,
    RawBodies,
    StoreMetadata,
)
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.parts import assign_parts, count_parts, part_columns
from frhead_core.data.quarantine import refuse_nothing, stop_above
from frhead_core.data.raw_files import fingerprint_files, open_raw_files
from frhead_core.data.recordings import Quarantined
from frhead_core.data.registry import DATASETS, find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import PART_PREFIX, SequenceStore
from frhead_core.data.tracked_bodies import (
    TrackedBodies,
    TrackedRecording,
    add_tracked,
    tracked_bodies_writer,
)
from frhead_core.errors import InputError
from frhead_core.progress import Reporter, reporting
from frhead_core.skeletons import skeleton

__all__ = [
    "DATASETS",
    "DenoisedSequences",
    "RawBodies",
    "assign_parts",
    "denoise_skeletons",
    "extract_raw_skeletons",
    "find_dataset",
    "fingerprint",
    "transform_sequences",
]

SILENT = Reporter()
Packed = TypeVar("Packed", bound=PackedSequences)


def fingerprint(dataset: str, raw: Path) -> str:
    """SHA-256 over the names, sizes and contents of the raw files, as hex.

    A zip archive is not read through: the CRC-32 of its directory stand for the contents.

    Raises:
        InputError: If the dataset is unknown or the raw data cannot be opened.
    """
    with open_raw_files(raw, find_dataset(dataset).suffix) as files:
        return fingerprint_files(files)


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
    facts = find_dataset(dataset)
    with (
        open_raw_files(raw, facts.suffix) as files,
        _raw_writer(
            dataset,
            output,
            data_fingerprint,
            progress_directory=progress_directory,
            settings=repr(preparation),
            reporter=reporter,
        ) as writer,
    ):
        source = facts.source(files, raw, preparation)
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
                writer.item_done()
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


def denoise_skeletons(
    dataset: str,
    raw_bodies: Path,
    output: Path,
    preparation: Preparation,
    reporter: Reporter = SILENT,
    progress_directory: Path | None = None,
) -> StepReport:
    """Choose the actors among the tracked bodies. NW-UCLA passes through, and the report says so.

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
            _open_for(dataset, TrackedBodies, raw_bodies),
            output,
            preparation,
            suffix=facts.suffix,
            reporter=reporter,
            progress_directory=progress_directory,
        )
    bodies = _open_for(dataset, RawBodies, raw_bodies)
    metadata = replace(bodies.metadata, kind=DenoisedSequences.kind)
    with PackedWriter(
        output,
        metadata,
        joints=_joints(dataset),
        progress_directory=progress_directory,
        reporter=reporter,
    ) as writer:
        writer.start_with(bodies.quarantined())
        _copy(bodies, writer, lambda sequence: sequence, "denoising", reporter)
        writer.report = StepReport(
            step="Denoised skeletons",
            dataset=dataset,
            numbers={"sequences": writer.sequences, "sequences changed": 0},
            notes=(facts.passes_denoising,),
            quarantined=tuple(writer.quarantined),
        )
        return writer.report


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
    sequences = _open_for(dataset, DenoisedSequences, denoised)
    metadata = replace(sequences.metadata, kind=SequenceStore.kind)
    parts, notes = part_columns(sequences.index, splits, facts, preparation)
    with PackedWriter(
        output,
        metadata,
        joints=_joints(dataset),
        progress_directory=progress_directory,
        settings=repr(preparation),
        reporter=reporter,
    ) as writer:
        writer.start_with(sequences.quarantined())
        for name, values in parts.items():
            writer.add_column(PART_PREFIX + name, values)
        _copy(sequences, writer, facts.centre, "centring", reporter)
        numbers = {"sequences": writer.sequences, "body frames": writer.frames}
        numbers |= count_parts(parts)
        centre = skeleton(facts.skeleton).joints[skeleton(facts.skeleton).center]
        writer.report = StepReport(
            step="Transformed sequences",
            dataset=dataset,
            numbers=numbers,
            notes=(f"Every sequence starts with the {centre} at the origin.", *notes),
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
    return writer(output, metadata, joints=_joints(dataset), **options)


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


def _joints(dataset: str) -> int:
    return len(skeleton(find_dataset(dataset).skeleton).joints)


def _open_for(dataset: str, kind: type[Packed], directory: Path) -> Packed:
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


def _copy(
    sequences: PackedSequences,
    writer: PackedWriter,
    change: Callable[[np.ndarray], np.ndarray],
    task: str,
    reporter: Reporter,
) -> None:
    with reporting(reporter, task, len(sequences), "sequences", writer.done):
        for recording, sequence in sequences.stream(writer.done):
            writer.add(recording, change(sequence))
            writer.item_done()
            reporter.advance()
