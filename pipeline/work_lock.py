"""The lock of a work directory: runs share it, and what removes their common things has it alone.

A run that has just been started looks like a dead one until it holds its lifeline, and the artifact
that its cache names may be one that is being removed. So a run holds this lock from its first
moment to its end. The system frees it when its holder dies.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_NAME = "runs.lock"


@contextmanager
def shared(work_directory: Path) -> Iterator[None]:
    """Hold the lock as one of several runs; waits while something is being removed."""
    with (work_directory / LOCK_NAME).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting: `frhead clean` is at work in this work directory", flush=True)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def alone(work_directory: Path) -> Iterator[bool]:
    """Hold the lock alone, if no run holds it; whether that is so. None starts meanwhile."""
    with (work_directory / LOCK_NAME).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def is_free(work_directory: Path) -> bool:
    """Whether no run holds the lock now; changes nothing."""
    try:
        with (work_directory / LOCK_NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True
