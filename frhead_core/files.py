"""Writing files and directories so that they are either there completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from frhead_core.errors import InputError


def has_scheme(place: Path | str) -> bool:
    """Whether a place is named by a URI, as in ``s3://bucket/key``, and not by a path."""
    return "://" in str(place)


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` through a temporary sibling; folders are made as needed.

    Raises:
        InputError: If the file cannot be written; what was there before is still there then.
    """
    with _sibling(path, content) as temporary:
        temporary.replace(path)


def create_atomically(path: Path, content: bytes) -> bool:
    """As :func:`write_atomically`, but only if there is no such file, whoever else is trying.

    Returns:
        Whether it was created.

    Raises:
        InputError: If it cannot be written.
    """
    with _sibling(path, content) as temporary:
        try:
            path.hardlink_to(temporary)  # unlike a rename it fails where the name is taken
        except FileExistsError:
            return False
        return True


@contextlib.contextmanager
def _sibling(path: Path, content: bytes) -> Iterator[Path]:
    """A complete file beside ``path`` under a name of its own, gone at the end if still there."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


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
        put_in_place(temporary, output)
    except OSError as error:
        place = error.filename or output
        raise InputError(f"cannot be written ({error.strerror or error})", file=place) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_empty(directory: Path) -> bool:
    return not any(directory.iterdir())


def put_in_place(partial: Path, output: Path) -> None:
    """Give a complete directory its name, instead of an older one; from any file system."""
    output.parent.mkdir(parents=True, exist_ok=True)
    replaced = output.with_name(f".{output.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    if output.is_dir() and any(output.iterdir()):
        output.replace(replaced)
    try:
        partial.replace(output)
    except OSError as error:  # it comes from another file system
        if error.errno != errno.EXDEV:
            raise
        _copied(partial, output).replace(output)
    shutil.rmtree(replaced, ignore_errors=True)


def _copied(partial: Path, output: Path) -> Path:
    """A copy beside the output."""
    copy = output.with_name(f".{output.name}.partial")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(partial, copy)
    return copy
