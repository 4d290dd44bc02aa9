"""A directory as a stream of recordings."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from frhead_core.errors import InputError

_NAP = 0.1  # seconds: the longest that a wish to stop goes unheard


@dataclass(frozen=True)
class _State:
    """What changes when a file is written to or replaced."""

    inode: int
    size: int
    modified: int


def complete_files(
    directory: Path,
    suffixes: Sequence[str],
    stopped: Callable[[], bool],
    *,
    settle: float = 1.0,
    only_new: bool = False,
) -> Iterator[Path]:
    """The files of a directory as they become complete, each once, the oldest first.

    Nothing but time can tell of a file that it is complete: it counts as complete when its size
    and its time of change have stayed the same for ``settle`` seconds. A file that is written under
    another name (hidden, or with another suffix) and then renamed is never seen half-written. One
    that changes after it was yielded is yielded again.

    Args:
        directory: Looked at without the directories in it.
        suffixes: How names end that count; hidden files do not.
        stopped: Asked several times a second whether to end.
        settle: Seconds, more than 0.
        only_new: Pass over what is there at the start.

    Raises:
        InputError: If the directory cannot be read, also later.
    """
    done = _files(directory, suffixes) if only_new else {}
    waiting: dict[Path, tuple[_State, float]] = {}
    while not stopped():
        found = _files(directory, suffixes)
        done = {path: state for path, state in done.items() if path in found}
        waiting = {path: entry for path, entry in waiting.items() if path in found}
        for path in sorted(found, key=lambda path: (found[path].modified, path.name)):
            state, now = found[path], time.monotonic()
            if done.get(path) == state:
                continue
            if path not in waiting or waiting[path][0] != state:
                waiting[path] = state, now
            elif now - waiting[path][1] >= settle:
                del waiting[path]
                done[path] = state
                yield path
                if stopped():
                    return
        _pause(settle / 2, stopped)


def _pause(seconds: float, stopped: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    time.sleep(min(seconds, _NAP))
    while not stopped() and time.monotonic() < end:
        time.sleep(_NAP)


def _files(directory: Path, suffixes: Sequence[str]) -> dict[Path, _State]:
    found = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.endswith(tuple(suffixes)):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:  # gone in the meantime
                    continue
                if stat.S_ISREG(status.st_mode):
                    state = _State(status.st_ino, status.st_size, status.st_mtime_ns)
                    found[directory / entry.name] = state
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", file=directory, expected="a directory to watch"
        ) from error
    return found
