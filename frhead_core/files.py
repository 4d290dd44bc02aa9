"""Writing files and directories so that they are either there completely or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def replaced_directory(output: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A directory that appears under its name as a whole, or not at all.

    Yields an empty temporary sibling to write into. Leaving normally puts it in the place of
    ``output``; leaving by an exception removes it and keeps what was there.

    Args:
        output: The directory to make.
        is_ours: Whether an existing directory with something in it may be replaced.

    Raises:
        InputError: If ``output`` holds something else, or cannot be written.
    """
    if output.exists() and not (output.is_dir() and (_is_empty(output) or is_ours(output))):
        raise InputError(
            "exists and holds something else",
            file=output,
            hint="Name another output, or remove it",
        )
    temporary = output.with_name(f".{output.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _put_in_place(temporary, output)
    except OSError as error:
        place = error.filename or output
        raise InputError(f"cannot be written ({error.strerror or error})", file=place) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_empty(directory: Path) -> bool:
    return not any(directory.iterdir())


def _put_in_place(temporary: Path, output: Path) -> None:
    if not output.is_dir() or _is_empty(output):
        temporary.replace(output)
        return
    replaced = temporary.with_name(f"{temporary.name}.replaced")
    output.replace(replaced)
    temporary.replace(output)
    shutil.rmtree(replaced)
