"""Starts what waits in the queue, so many at a time, and notes how each run ended."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from frhead_core.errors import InputError
from pipeline.code_version import package_root
from pipeline.console.queue_entries import EntryState, Queue, QueueEntry
from pipeline.console.queue_processes import DetachedProcess
from pipeline.run_folder import STARTED_BY
from pipeline.run_records import read_facts

_LOG = logging.getLogger(__name__)
_SECONDS = 0.5
# Secrets of the console, and what would send a run of this machine to a cluster.
_NOT_FOR_RUNS = ("FRHEAD_CONSOLE_", "FRHEAD_KFP_", "FRHEAD_PROFILE")

Command = Callable[[QueueEntry], list[str]]
"""Program and arguments of an entry's process."""


def frhead_command(entry: QueueEntry) -> list[str]:
    """The command ``frhead`` of this very program."""
    return [sys.executable, "-P", "-m", "pipeline.cli", *entry.arguments, f"--name={entry.name}"]


class QueueDriver:
    """One thread that looks after the queue of a work directory.

    Several consoles may serve one work directory: a lock lets one of them look after the queue, and
    another takes over when that one ends.

    Args:
        queue: What there is to run.
        work_directory: Where runs lie.
        folder: Where the processes of the queue and its lock lie.
        concurrency: How many runs there are at once.
        command: What an entry's process is.
    """

    def __init__(
        self,
        queue: Queue,
        work_directory: Path,
        folder: Path,
        concurrency: int,
        command: Command = frhead_command,
    ) -> None:
        self._queue = queue
        self._work_directory = work_directory
        self._folder = folder
        self._concurrency = concurrency
        self._command = command
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drive, name="queue", daemon=True)

    def start(self) -> None:
        """Begin to look after the queue."""
        self._thread.start()

    def stop(self) -> None:
        """Look after it no more; runs go on."""
        self._ended.set()
        self._thread.join()

    def process(self, name: str) -> DetachedProcess:
        """The process of an entry."""
        return DetachedProcess(self._folder / "processes" / name)

    def stop_run(self, entry: QueueEntry) -> bool:
        """Ask a running entry to end; whether it was running."""
        if not self._queue.ask_to_stop(entry.name):
            return False
        self.process(entry.name).ask_to_end()
        return True

    def turn(self) -> None:
        """Note which runs have ended, and start others in their place."""
        for child in list(self._children.values()):
            child.poll()  # so that what has ended is gone, and not a zombie
        running = [entry for entry in self._queue.in_state("running") if not self._over(entry)]
        free = self._concurrency - len(running)
        for entry in self._queue.in_state("queued")[: max(0, free)]:
            self._begin(entry)

    def _drive(self) -> None:
        while not self._ended.is_set():
            try:
                with FileLock(self._folder / "queue.lock", timeout=0):
                    while not self._ended.wait(_SECONDS):
                        self.turn()
            except Timeout:
                pass  # another console looks after it
            except Exception:
                _LOG.exception("the queue could not be looked after; it is tried again")
            self._ended.wait(_SECONDS)

    def _begin(self, entry: QueueEntry) -> None:
        if not self._queue.take(entry.name):
            return  # withdrawn meanwhile
        environment = _environment(os.environ)
        child = self.process(entry.name).start(self._command(entry), environment)
        self._children[entry.name] = child
        if self._queue.entry(entry.name).stop_asked:  # before there was anybody to tell
            child.terminate()

    def _over(self, entry: QueueEntry) -> bool:
        """Whether a running entry runs no more; what became of it is noted."""
        process = self.process(entry.name)
        if process.lives:
            return False
        self._children.pop(entry.name, None)
        never_started = process.number is None and not process.output()
        if never_started and not entry.stop_asked:
            self._queue.give_back(entry.name)  # the console ended before it started anything
        else:
            self._queue.end(entry.name, self._outcome(entry))
        return True

    def _outcome(self, entry: QueueEntry) -> EntryState:
        """What the run's record says; one that has none, or goes on without a process, failed."""
        try:
            status = read_facts(self._work_directory / entry.name).get("status")
        except InputError:
            status = None
        if status in ("done", "failed", "stopped"):
            return status  # type: ignore[no-any-return]
        return "stopped" if entry.stop_asked else "failed"


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of runs, which import the very packages that this program runs from."""
    kept = {name: text for name, text in own.items() if not name.startswith(_NOT_FOR_RUNS)}
    path = [str(package_root()), kept.get("PYTHONPATH", "")]
    return kept | {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "PYTHONUNBUFFERED": "1",
        STARTED_BY: "the console",
    }
