"""Runs as processes of their own, which outlive the program that starts them.

A process holds a lock, from before its first instruction to its last: it inherits a descriptor that
is locked already, and the system frees the lock when nobody has the descriptor any more. Whoever
comes later learns from the lock whether the process lives, and from the file which one it is.
::

    <folder>/
      process.lock    locked as long as the process lives; holds its number
      output.txt      what it wrote
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOCK = "process.lock"
_OUTPUT = "output.txt"
_MOST_OUTPUT = 64 * 1024
# The shell writes down which process it is and lets the command take its place.
_START = 'echo $$ > "$0" && exec "$@"'


@dataclass(frozen=True)
class DetachedProcess:
    """At most one process, known by its folder.

    Attributes:
        folder: Of this process alone.
    """

    folder: Path

    def start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, with nothing that ties it to this program.

        Args:
            command: Program and arguments.
            environment: All that it is told.

        Raises:
            OSError: If it cannot be started.
            BlockingIOError: If it was started before, and lives.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock, self._output.open("ab") as output:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate(0)
            return subprocess.Popen(
                ["/bin/sh", "-c", _START, str(self._lock.absolute()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        try:
            with self._lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    @property
    def number(self) -> int | None:
        """The process id; None if it was never started."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self._lock.read_text(encoding="ascii"))
        return None

    def output(self) -> str:
        """The end of what it wrote."""
        try:
            with self._output.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _MOST_OUTPUT))
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def ask_to_end(self) -> None:
        """Send SIGTERM, if it lives."""
        number = self.number
        if self.lives and number is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)

    @property
    def _lock(self) -> Path:
        return self.folder / _LOCK

    @property
    def _output(self) -> Path:
        return self.folder / _OUTPUT
