"""The records of all runs of a work directory: read once, and again only when they change."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from frhead_core.errors import InputError
from pipeline.run_engine import RunRecord
from pipeline.run_folder import RECORD
from pipeline.run_records import damaged_record, living, read_record

Stamp = tuple[int, int, int]
"""What changes when a record does. Each is renamed into its place, so it is another file then."""


@dataclass(eq=False)
class RunIndex:
    """Records by the names of their folders.

    Nothing is stored on the disk, so nothing can be out of date: every question looks at every
    record's file without opening it. Of runs that go on, it is asked anew whether their program
    lives.
    """

    work_directory: Path
    _known: dict[str, tuple[Stamp, RunRecord]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def records(self) -> list[RunRecord]:
        """All runs, the newest first; one whose record is damaged is there and says so."""
        with self._lock:
            self._known = dict(self._look())
            known = self._known
        newest_first = (run for _, run in sorted(known.values(), key=_newness, reverse=True))
        return [
            living(self.work_directory / run.id, run) if run.state == "running" else run
            for run in newest_first
        ]

    def _look(self) -> Iterator[tuple[str, tuple[Stamp, RunRecord]]]:
        for name, stamp in stamps(self.work_directory):
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                known = stamp, record_of(self.work_directory / name)
            yield name, known


def _newness(known: tuple[Stamp, RunRecord]) -> tuple[float, str]:
    """When a run started or, if it does not say that, when its record was written; its name."""
    (_, written, _), run = known
    return (run.started.timestamp() if run.started else written / 1e9, run.id)


def stamps(work_directory: Path) -> Iterator[tuple[str, Stamp]]:
    """The folders that hold the record of a run, and the stamps of these records."""
    with os.scandir(work_directory) as entries:
        for entry in entries:
            try:
                facts = os.stat(f"{entry.path}/{RECORD}")  # noqa: PTH116 - half the time of a Path
                entry.name.encode("utf-8")  # what cannot be written in a page has no link either
            except (OSError, UnicodeEncodeError):
                continue
            if stat.S_ISREG(facts.st_mode):
                yield entry.name, (facts.st_ino, facts.st_mtime_ns, facts.st_size)


def record_of(folder: Path) -> RunRecord:
    """The record of a run, or what is to be said of a damaged one."""
    try:
        return read_record(folder)
    except InputError as error:
        return damaged_record(folder, error)
