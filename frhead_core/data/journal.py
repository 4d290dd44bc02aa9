"""A place where a step writes its result, and from which it goes on after an interruption.

The files grow; after every stretch of work a line in the journal says what had been finished and
how long each file was then. Whatever kills the process, at worst the work since the last line is
done again: the files are cut back to the lengths that it names.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from frhead_core.progress import Reporter

Entry = dict[str, Any]


class Journal:
    """The journal of one step, and the directory of its files.

    One process works on a step at a time. The operating system releases the lock when its holder
    dies, however it dies.

    Args:
        directory: Made as needed. It stays, almost empty, so that the lock stays the same file.
        identity: Everything that the result depends on; what was written for another identity is
            thrown away.

    Attributes:
        files: Directory of the growing files.
        entries: What an earlier run had finished; empty if there is nothing to go on from.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any]) -> None:
        self.files = directory / "files"
        self.entries: list[Entry] = []
        self._directory = directory
        self._path = directory / "journal.jsonl"
        self._first_line = _line({"identity": identity})
        self._lock = FileLock(directory / "lock")

    def open(self, reporter: Reporter) -> None:
        """Take the lock, waiting for another process, and find out where to go on."""
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            reporter.message(f"waiting: another process does this step in {self._directory}")
            self._lock.acquire()
        Path(self._lock.lock_file).touch()  # when it was used last, also if nothing is left to do
        kept = self._read()
        if not self.entries:
            self.clear()
            self.files.mkdir()
            self._path.write_bytes(self._first_line)
            kept = len(self._first_line)
        self._file = self._path.open("r+b")
        self._file.truncate(kept)
        self._file.seek(kept)

    def append(self, entry: Entry) -> None:
        """Note what is finished; the files must be on the disk already."""
        self._file.write(_line(entry))
        self._file.flush()
        os.fsync(self._file.fileno())

    def clear(self) -> None:
        """Forget everything. The journal goes first: without it the files mean nothing."""
        self._path.unlink(missing_ok=True)
        shutil.rmtree(self.files, ignore_errors=True)

    def close(self) -> None:
        """Let another process have it."""
        if not self._file.closed:
            self._file.close()
        self._lock.release()

    def _read(self) -> int:
        """Read the entries that can be trusted, and return how long the journal is with them."""
        if not self._path.is_file():
            return 0
        with self._path.open("rb") as file:
            if file.readline() != self._first_line:
                return 0
            kept = file.tell()
            for line in file:
                entry = _entry(line)
                if entry is None or not self._holds(entry["lengths"]):
                    break
                self.entries.append(entry)
                kept += len(line)
        return kept

    def _holds(self, lengths: Mapping[str, int]) -> bool:
        """Whether the files are as long as they were."""
        try:
            return all((self.files / name).stat().st_size >= lengths[name] for name in lengths)
        except OSError:
            return False


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def _entry(line: bytes) -> Entry | None:
    """The entry of a line that was written to its end."""
    try:
        return dict(json.loads(line)) if line.endswith(b"\n") else None
    except ValueError:
        return None
