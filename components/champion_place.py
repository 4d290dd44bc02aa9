"""Where champions lie: a place that creates an object once and never changes it.

A champion's number is taken by creating its object, so creation has to be exclusive: of several
writers one creates, and the others are told that it is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location, is_uri
from frhead_core.errors import InputError
from frhead_core.files import create_atomically, has_scheme


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
        return create_atomically(self._root / name, content)

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


class S3Place:
    """A prefix in object storage: of several that create an object the server lets one do it."""

    def __init__(self, root: Location, store: ObjectStore | None = None) -> None:
        self._root = root
        self._store = store or ObjectStore()

    def create(self, name: str, content: bytes) -> bool:
        return self._store.put_if_absent(self._root / name, content)

    def read(self, name: str) -> bytes:
        return self._store.read(self._root / name)

    def names(self, folder: str) -> list[str]:
        below = self._store.objects(self._root / folder, recursive=False)
        return sorted(each.location.name for each in below)

    def address(self, name: str) -> str:
        return str(self._root / name)


def champion_place(root: str) -> ChampionPlace:
    """The place of a champion root: a directory, or ``s3://bucket/prefix``.

    Raises:
        InputError: If it is a URI of another kind.
    """
    if is_uri(root):
        return S3Place(Location.parse(root))
    if has_scheme(root):
        raise InputError(
            "champions cannot be kept there", found=root, expected="a directory, or s3://..."
        )
    return DirectoryPlace(Path(root))
