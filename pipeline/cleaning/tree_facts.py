"""How large a file or folder is, and when something in it was written last.

Links count themselves, and are not followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple


class TreeFacts(NamedTuple):
    """Of a file, or of a folder and everything below it.

    Attributes:
        size: Bytes of all files.
        newest: When something was written last, in seconds since 1970.
    """

    size: int
    newest: float


def tree_facts(path: Path) -> TreeFacts:
    """The facts of a file or folder; what vanishes meanwhile does not count."""
    size, newest = _facts(str(path))
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                more, written = _facts(f"{folder}/{name}")
                size, newest = size + more, max(newest, written)
    return TreeFacts(size, newest)


def _facts(path: str) -> tuple[int, float]:
    try:
        status = os.lstat(path)
    except OSError:
        return 0, 0.0
    return (0 if stat.S_ISDIR(status.st_mode) else status.st_size), status.st_mtime
