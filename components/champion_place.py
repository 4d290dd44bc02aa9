"""Where champions lie: a place that creates an object once and never changes it.

A champion's number is taken by creating its object, so creation has to be exclusive: of several
writers one creates, and the others are told that it is there.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import Protocol

from frhead_core.errors import InputError


class ChampionPlace(Protocol):
    """Immutable objects by name; a name is a path with slashes."""

    def create(self, name: str, content: bytes) -> bool:
        """Create an object as a whole; whether it was not there before, then nothing changes."""

    def read(self, name: str) -> bytes:
        """Content of an object.

        Raises:
            InputError: If it is not there or cannot be read.
        """

    def names(self, folder: str) -> list[str]:
        """Names of the objects directly in a folder, without it; none if it is not there."""

    def address(self, name: str) -> str:
        """The object or folder for people: its path or URI."""


class DirectoryPlace:
    """A directory, of one machine or shared: a file appears whole by a hard link, or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, name: str, content: bytes) -> bool:
        path = self._root / name
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # Unlike a rename a link fails where the name is taken, whoever else is trying.
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror})", file=path) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return True

    def read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror})", file=self._root / name
            ) from error

    def names(self, folder: str) -> list[str]:
        directory = self._root / folder
        try:
            return sorted(
                path.name
                for path in directory.iterdir()
                if path.is_file() and not path.name.startswith(".")
            )
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=directory) from error

    def address(self, name: str) -> str:
        return str(self._root / name)


def champion_place(root: str) -> ChampionPlace:
    """The place of a champion root, a directory.

    Raises:
        InputError: If it is a URI of a kind that is not known.
    """
    if "://" in root:
        raise InputError("champions cannot be kept there", found=root, expected="a directory")
    return DirectoryPlace(Path(root))
