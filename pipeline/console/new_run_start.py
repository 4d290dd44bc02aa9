"""Asking for runs: a new one, or one again that ended before its time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from frhead_core.errors import InputError
from pipeline.console.new_run_checks import CheckedRequest
from pipeline.console.new_run_data import made_synthetic
from pipeline.console.queue_entries import Queue, QueueEntry
from pipeline.local_runs import check_can_go_on
from pipeline.run_engine import RunRecord
from pipeline.run_folder import names_of_runs


@dataclass(frozen=True)
class RunStarter:
    """Puts runs into the queue of a work directory.

    Attributes:
        queue: The queue.
        work_directory: Where the runs will lie.
        folder: The console's own.
    """

    queue: Queue
    work_directory: Path
    folder: Path

    def start(self, checked: CheckedRequest) -> QueueEntry:
        """Ask for a new run.

        Args:
            checked: What to run, without mistakes.

        Raises:
            InputError: If there is a run of its name.
        """
        assert checked.request is not None
        if checked.layout is not None:
            made_synthetic(self.folder, checked.layout)
        benchmark = checked.request.recipe.name
        names = iter([checked.name]) if checked.name else names_of_runs(benchmark)
        entry = self.queue.add(self._free(names), benchmark, checked.arguments)
        if entry is None:
            raise InputError("there is one of this name", field="--name", found=checked.name)
        return entry

    def retry(self, run: RunRecord) -> QueueEntry:
        """Ask for a run again, which goes on where it ended; the entry if it was asked for before.

        Raises:
            InputError: If it is done, or goes on.
        """
        check_can_go_on(run)
        place = ["--work-directory", str(self.work_directory)]
        return self._again(run.id, run.name, ["runs", "retry", run.id, *place])

    def retry_entry(self, entry: QueueEntry) -> QueueEntry:
        """Ask again for a run that ended before it had a record.

        Raises:
            InputError: If it has not ended, or not before its time.
        """
        if entry.state not in ("failed", "stopped"):
            raise InputError("only a run that failed or was stopped can go on", found=entry.state)
        return self._again(entry.name, entry.benchmark, entry.arguments)

    def _again(self, name: str, benchmark: str, arguments: Sequence[str]) -> QueueEntry:
        asked = self.queue.repeating(name)
        if asked is not None:
            return asked
        names = self._free(names_of_runs(benchmark))
        entry = self.queue.add(names, benchmark, arguments, again=name)
        if entry is None:
            raise InputError("too many runs started in this second", file=self.work_directory)
        return entry

    def _free(self, names: Iterator[str]) -> Iterator[str]:
        return itertools.filterfalse(lambda name: (self.work_directory / name).exists(), names)
