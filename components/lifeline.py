"""No step outlives the program that runs it, however suddenly that program ends.

The running program holds an exclusive lock on a file of its run folder for as long as it lives; the
system lets go of the lock when the process is gone, also after SIGKILL. Each step waits for the
same lock in a thread. To get it means that nobody waits for the step's result any more.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_NAME = "alive.lock"


@contextmanager
def held(run_directory: Path) -> Iterator[None]:
    """Hold the lifeline of a run; its steps end when this process does.

    The descriptor is not inheritable (PEP 446), so a child that is started meanwhile does not
    keep the lock after its parent.
    """
    with (run_directory / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))  # by which it can be asked to stop
        lock.flush()
        yield


def holder(run_directory: Path) -> int | None:
    """Process id of the program that runs this; None if it has ended."""
    try:
        with (run_directory / LOCK_NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = (run_directory / LOCK_NAME).read_text()
        return int(text) if text else None
    except FileNotFoundError:
        return None
    return None


def follow(run_directory: Path) -> None:
    """End this process and its group as soon as nobody holds the lifeline any more.

    The group takes data loading workers along: the engine starts each step as a leader of its own.
    """

    def wait() -> None:
        with (run_directory / LOCK_NAME).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
