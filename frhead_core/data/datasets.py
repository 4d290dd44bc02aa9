"""The steps that turn the raw files of a dataset into a sequence store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from frhead_core.config import Preparation, Split
from frhead_core.data.packed import PackedSequences, StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.raw_files import fingerprint_files, open_raw_files
from frhead_core.data.recordings import Quarantined
from frhead_core.data.registry import DATASETS, find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import PART_PREFIX, SequenceStore
from frhead_core.errors import InputError, QuarantineLimitError
from frhead_core.progress import Reporter
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


class RawBodies(PackedSequences):
    """All tracked bodies of all recordings."""

    kind = "raw bodies"


class DenoisedSequences(PackedSequences):
    """The actors of each recording."""

    kind = "denoised sequences"


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
) -> StepReport:
    """Read the raw files into a packed directory of raw bodies.

    Args:
        dataset: Name of the dataset.
        raw: Directory or zip archive with its files.
        output: The directory to make.
        preparation: The recipe's settings.
        data_fingerprint: What :func:`fingerprint` said of ``raw``; it travels with the data.
        reporter: Told of the progress.

    Raises:
        InputError: If the raw data cannot be opened or files of the benchmark are missing.
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    facts = find_dataset(dataset)
    metadata = _metadata(RawBodies.kind, dataset, data_fingerprint)
    with (
        open_raw_files(raw, facts.suffix) as files,
        PackedWriter(output, metadata, joints=_joints(dataset)) as writer,
    ):
        source = facts.source(files, raw, preparation)
        limit = preparation.max_quarantined_share * len(source)
        with _task(reporter, "reading recordings", len(source), "recordings"):
            for item in source:
                if isinstance(item, Quarantined):
                    writer.quarantined.append(item)
                    _stop_above(limit, writer.quarantined, len(source), raw)
                else:
                    writer.add(item.recording, item.bodies)
                reporter.advance()
        _refuse_nothing(writer, raw)
        writer.report = StepReport(
            step="Extracted raw skeletons",
            dataset=dataset,
            numbers={
                "recordings found": len(source),
                "recordings kept": writer.sequences,
                "recordings quarantined": len(writer.quarantined),
                "body frames": writer.frames,
            },
            quarantined=tuple(writer.quarantined),
        )
        return writer.report


def denoise_skeletons(
    dataset: str,
    raw_bodies: Path,
    output: Path,
    preparation: Preparation,
    reporter: Reporter = SILENT,
) -> StepReport:
    """Choose the actors among the tracked bodies. NW-UCLA passes through, and the report says so.

    Raises:
        InputError: If ``raw_bodies`` cannot be used.
    """
    facts = find_dataset(dataset)
    bodies = _open_for(dataset, RawBodies, raw_bodies)
    metadata = _metadata(DenoisedSequences.kind, dataset, bodies.metadata.data_fingerprint)
    with PackedWriter(output, metadata, joints=_joints(dataset)) as writer:
        writer.quarantined = bodies.quarantined()
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
) -> StepReport:
    """Centre the sequences and mark who trains and who tests.

    Args:
        dataset: Name of the dataset.
        denoised: The directory that :func:`denoise_skeletons` made.
        output: The sequence store to make.
        splits: The split of each benchmark of the dataset, by the benchmark's name.
        preparation: The recipe's settings.
        reporter: Told of the progress.

    Raises:
        InputError: If ``denoised`` cannot be used, or a recording is in no part of a split.
    """
    facts = find_dataset(dataset)
    sequences = _open_for(dataset, DenoisedSequences, denoised)
    metadata = _metadata(SequenceStore.kind, dataset, sequences.metadata.data_fingerprint)
    parts = {name: assign_parts(sequences.index, split) for name, split in splits.items()}
    with PackedWriter(output, metadata, joints=_joints(dataset)) as writer:
        writer.quarantined = sequences.quarantined()
        for name, values in parts.items():
            writer.add_column(PART_PREFIX + name, values)
        _copy(sequences, writer, facts.centre, "centring", reporter)
        numbers = {"sequences": writer.sequences, "body frames": writer.frames}
        for name, values in parts.items():
            numbers |= {f"{name} {part}": values.count(part) for part in ("train", "test")}
        centre = skeleton(facts.skeleton).joints[skeleton(facts.skeleton).center]
        writer.report = StepReport(
            step="Transformed sequences",
            dataset=dataset,
            numbers=numbers,
            notes=(f"Every sequence starts with the {centre} at the origin.",),
            quarantined=tuple(writer.quarantined),
        )
        return writer.report


def assign_parts(index: pd.DataFrame, split: Split) -> list[str]:
    """``"train"`` or ``"test"`` for every row of an index.

    Raises:
        InputError: If a recording's value is in neither list of the split.
    """
    part_of = dict.fromkeys(split.train, "train") | dict.fromkeys(split.test, "test")
    parts = []
    for name, value in zip(index["name"], index[split.column], strict=True):
        if value not in part_of:
            raise InputError(
                "the recording is in no part of the split",
                field=name,
                found=f"{split.column} {value}",
                expected=f"one of {sorted(part_of)}",
                hint="Correct split.train and split.test of the recipe",
            )
        parts.append(part_of[value])
    return parts


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
    with _task(reporter, task, len(sequences), "sequences"):
        for row in range(len(sequences)):
            writer.add(sequences.recording(row), change(sequences.sequence(row)))
            reporter.advance()


@contextmanager
def _task(reporter: Reporter, title: str, total: int, unit: str) -> Iterator[None]:
    reporter.begin(title, total, unit)
    try:
        yield
    finally:
        reporter.end()


def _refuse_nothing(writer: PackedWriter, raw: Path) -> None:
    if writer.sequences == 0:
        first = writer.quarantined[0]
        raise InputError(
            f"none of the {len(writer.quarantined)} recordings is usable",
            file=raw,
            found=f"{first.name} ({first.reason})",
        )


def _stop_above(limit: float, quarantined: list[Quarantined], total: int, raw: Path) -> None:
    if len(quarantined) <= limit:
        return
    first = "; ".join(f"{bad.name} ({bad.reason})" for bad in quarantined[:3])
    raise QuarantineLimitError(
        f"{len(quarantined)} of {total} recordings are unusable, more than "
        "preparation.max_quarantined_share allows",
        file=raw,
        found=first,
        expected=f"at most {int(limit)}",
        hint="Download the data again, or raise preparation.max_quarantined_share",
    )
