"""Writing a file so that it is either there completely or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from frhead_core.errors import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` through a temporary sibling; folders are made as needed.

    Raises:
        InputError: If the file cannot be written; what was there before is still there then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise InputError(f"cannot be written ({error.strerror})", file=path) from error
