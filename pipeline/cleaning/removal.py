"""Removes what was found to be no longer needed.

Each thing gets another name first, in one step, and is removed under that: whatever interrupts it,
nothing is there by half that a run could take for whole, and the next time finds the rest.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting
from pipeline.cleaning.plan import REMOVED, Cleaning, Item
from pipeline.cleaning.shared_things import CHECKPOINT_LOCK
from pipeline.run_folder import MAKER


def remove(cleaning: Cleaning, reporter: Reporter = SILENT) -> None:
    """Remove everything that can go. Links are removed, not what they lead to.

    Args:
        cleaning: What there is to do. Whoever calls this holds the lock of the work directory, or
            has none of what runs share in it.
        reporter: Told how far it is.

    Raises:
        InputError: If something cannot be removed; the rest is still there.
    """
    with reporting(reporter, "removing", len(cleaning.items), "things"):
        for item in cleaning.items:
            try:
                _remove(item, cleaning.work_directory, reporter)
            except OSError as error:
                raise InputError(
                    f"cannot be removed ({error.strerror})",
                    file=error.filename or item.path,
                    hint="What was not removed yet is still there; the same command goes on",
                ) from error
            reporter.advance()


def _remove(item: Item, work_directory: Path, reporter: Reporter) -> None:
    kind_folder = work_directory if item.kind == "runs" else work_directory / item.kind
    if item.path.name == REMOVED:
        shutil.rmtree(item.path)
    elif item.kind == "cache":
        item.path.unlink(missing_ok=True)
    elif item.kind == "checkpoints":
        _remove_checkpoints(item.path, kind_folder, reporter)
        _remove_empty(item.path.parent, kind_folder)
    else:
        _move_and_remove(item.path, kind_folder)
        _remove_empty(item.path.parent, kind_folder)


def _remove_checkpoints(path: Path, kind_folder: Path, reporter: Reporter) -> None:
    lock = FileLock(path / CHECKPOINT_LOCK)
    try:
        with lock.acquire(timeout=0):
            _move_and_remove(path, kind_folder)
    except Timeout:
        reporter.message(f"left alone: another program is using {path}")


def _move_and_remove(path: Path, kind_folder: Path) -> None:
    place = kind_folder / REMOVED
    if place.is_symlink():
        raise InputError("is a link, and nothing is moved to where it leads", file=place)
    place.mkdir(exist_ok=True)
    target = place / uuid.uuid4().hex
    path.rename(target)
    shutil.rmtree(target)
    with contextlib.suppress(OSError):  # something else is left there, from an earlier time
        place.rmdir()


def _remove_empty(folder: Path, kind_folder: Path) -> None:
    """Remove a folder and those above it as long as nothing is left in them but who made it."""
    while folder.is_relative_to(kind_folder) and folder != kind_folder:
        try:
            if [path.name for path in folder.iterdir()] == [MAKER]:
                (folder / MAKER).unlink()
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
