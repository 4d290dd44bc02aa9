"""The denoising step of NTU RGB+D: tracked bodies in, actors and a table of what went out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from frhead_core.config import Preparation
from frhead_core.data import ntu_denoise as rules
from frhead_core.data.ntu_denoise import Denoised, Filtered, denoise
from frhead_core.data.packed import DenoisedSequences
from frhead_core.data.packed_copy import handfuls
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.quarantine import refuse_nothing, stop_above
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.step_report import StepReport
from frhead_core.data.tracked_bodies import TrackedBodies
from frhead_core.progress import Reporter, reporting

FILTERED_FILE = "filtered.csv"
FILTERED_COLUMNS = Filtered._fields

_SECTIONS: dict[str, str] = {
    rules.TOO_SHORT: "bodies removed: too short",
    rules.TOO_WIDE: "bodies removed: too wide",
    rules.NO_PLACE: "bodies removed: no place",
    rules.WIDE_FRAMES: "bodies with wide frames",
    rules.EMPTY_FRAMES: "recordings with empty frames",
    rules.SECOND_UNEXPECTED: "second actor unexpected",
    rules.SECOND_LOST: "second actor lost",
}
_EMPTY_FRAMES = "empty frames removed"


def filter_bodies(
    tracked: TrackedBodies,
    output: Path,
    preparation: Preparation,
    *,
    suffix: str,
    reporter: Reporter,
    progress_directory: Path | None = None,
) -> StepReport:
    """Keep the actors of every recording.

    Beside the packed directory of the actors, ``filtered.csv`` says what each rule did.

    Args:
        tracked: The bodies.
        output: The directory to make.
        preparation: The recipe's settings.
        suffix: How the names of the raw files end, for the list of those left out.
        reporter: Told of the progress.
        progress_directory: From where an interrupted denoising goes on.

    Raises:
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    before = tracked.quarantined()
    total = len(tracked) + len(before)
    limit = preparation.max_quarantined_share * total

    with PackedWriter(
        output,
        replace(tracked.metadata, kind=DenoisedSequences.kind),
        joints=tracked.coordinates.shape[1],
        tables={FILTERED_FILE: FILTERED_COLUMNS},
        progress_directory=progress_directory,
        settings=repr(preparation),
        reporter=reporter,
    ) as writer:
        writer.start_with(before)
        with reporting(reporter, "denoising", len(tracked), "recordings", writer.done):
            for rows in handfuls(writer.done, len(tracked)):
                for recording in tracked.tracked_in(rows):
                    result = denoise(recording, preparation.compatibility)
                    _write(writer, recording.recording, result, suffix)
                    if result.reason is not None:
                        stop_above(limit, writer.quarantined, total, tracked.directory)
                writer.items_done(len(rows))
                reporter.advance(len(rows))
        refuse_nothing(writer.sequences, writer.quarantined, tracked.directory)
        writer.report = _report(writer, tracked, len(before), preparation)
        return writer.report


def _write(writer: PackedWriter, recording: Recording, result: Denoised, suffix: str) -> None:
    if result.sequence is None:
        reason = result.reason or ""
        writer.quarantined.append(Quarantined(recording.name, recording.name + suffix, reason))
    else:
        writer.add(recording, result.sequence)
        writer.counts[_actors(len(result.sequence))] += 1
    if result.filtered:
        writer.add_to_table(FILTERED_FILE, *map(_table_row, result.filtered))
        _count(writer.counts, result)


def _count(counts: Counter[str], result: Denoised) -> None:
    for row in result.filtered:
        if row.rule in _SECTIONS:
            counts[_SECTIONS[row.rule]] += 1
        if row.rule == rules.EMPTY_FRAMES:
            counts[_EMPTY_FRAMES] += int(row.value or 0)


def _actors(persons: int) -> str:
    return "with two actors" if persons > 1 else "with one actor"


def _table_row(row: Filtered) -> tuple[Any, ...]:
    return tuple(f"{value:.6f}" if isinstance(value, float) else value for value in row)


def _report(
    writer: PackedWriter, tracked: TrackedBodies, before: int, preparation: Preparation
) -> StepReport:
    counts: Mapping[str, int] = writer.counts
    named = (_actors(1), _actors(2), *_SECTIONS.values(), _EMPTY_FRAMES)
    return StepReport(
        step="Denoised skeletons",
        dataset=tracked.metadata.dataset,
        numbers={
            "recordings": len(tracked),
            "sequences": writer.sequences,
            **{name: counts[name] for name in named},
            "recordings quarantined here": len(writer.quarantined) - before,
        },
        notes=(
            f"Rules: {preparation.compatibility}. "
            f"{FILTERED_FILE} says what each of them did to each recording.",
        ),
        quarantined=tuple(writer.quarantined),
    )
