"""The states of one checkpoint in object storage: manifests, and the contents that they name.

::

    <checkpoint>/
      writer-000002.json              who writes it (checkpoint_writer.py)
      manifest-000002-00000007.json   a complete state: every file with its size and SHA-256
      contents/000002/<SHA-256>       what the second writer sent, by its content

A manifest is written after all that it names, so there is no half of a state. The one with the
highest numbers is the newest. Writers have contents of their own: one that was given up, but is
only slow, removes nothing that its successor needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from components.object_storage.client import ObjectStore
from components.object_storage.errors import (
    DamagedObjectError,
    MissingBucketError,
    MissingObjectError,
)
from components.object_storage.location import Location
from components.object_storage.transfer import download_file, upload_file

FORMAT_VERSION = 1
_NAME = re.compile(r"manifest-(\d{6,})-(\d{8,})\.json")
_NOT_STATE = "lock"  # and whatever begins with a dot
_TRIES = 2  # of what arrives damaged: that may be the way's fault

T = TypeVar("T")


class KeptFile(NamedTuple):
    """Size in bytes and SHA-256, as hex, of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class State:
    """A complete state of a checkpoint.

    Attributes:
        writer: Number of who wrote it, from 1.
        sequence: Number among those of this writer, from 1.
        mirror: Mark of the directory that it was written from.
        files: By their names below the directory.
    """

    writer: int
    sequence: int
    mirror: str
    files: Mapping[str, KeptFile]

    @property
    def name(self) -> str:
        """Name of the manifest."""
        return f"manifest-{self.writer:06d}-{self.sequence:08d}.json"

    def to_json(self) -> bytes:
        """The manifest."""
        values = {
            "format_version": FORMAT_VERSION,
            "mirror": self.mirror,
            "files": {name: file._asdict() for name, file in self.files.items()},
        }
        return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()


def numbers_of(name: str) -> tuple[int, int] | None:
    """Writer and sequence of a manifest; None if it is the name of something else."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def state_files(directory: Path) -> dict[str, Path]:
    """The files of a checkpoint's directory that make its state, by name and sorted."""
    found: dict[str, Path] = {}
    for folder, folders, names in os.walk(directory):
        # Not entered: another thread may be removing such a folder.
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names)
        found |= {path.relative_to(directory).as_posix(): path for path in paths}
    return {name: path for name, path in sorted(found.items()) if _is_state(name)}


def _is_state(name: str) -> bool:
    return name != _NOT_STATE and all(part and part[0] != "." for part in name.split("/"))


def described(files: Mapping[str, Path]) -> dict[str, KeptFile]:
    """Size and checksum of files."""
    return {name: _described(path) for name, path in files.items()}


def _described(path: Path) -> KeptFile:
    with path.open("rb") as file:
        return KeptFile(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


class CheckpointStates:
    """The states of one checkpoint.

    Args:
        place: Where they are.
        store: The server.
    """

    def __init__(self, place: Location, store: ObjectStore) -> None:
        self.place = place
        self._store = store

    def names(self) -> list[str]:
        """Names of all manifests, the newest first.

        Raises:
            ObjectStorageError: If there is no such bucket, or the server refuses or cannot be
                reached.
        """
        below = self._store.objects(self.place, recursive=False)
        found = {name: key for each in below if (key := numbers_of(name := each.location.name))}
        return sorted(found, key=found.__getitem__, reverse=True)

    def read(self, name: str) -> State:
        """One manifest.

        Raises:
            DamagedObjectError: If it is not as it was written, or of another version.
            MissingObjectError: If it is not there.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        return _twice(lambda: self._read(name))

    def _read(self, name: str) -> State:
        location, numbers = self.place / name, numbers_of(name)
        facts = self._store.head(location)
        content = self._store.read(location, etag=facts.etag)
        assert numbers is not None
        try:
            if hashlib.sha256(content).hexdigest() != facts.sha256:
                raise ValueError("another checksum")
            values = json.loads(content)
            if values["format_version"] != FORMAT_VERSION:
                raise ValueError("another version")
            files = {key: KeptFile(**each) for key, each in values["files"].items()}
            if not all(map(_is_state, files)):
                raise ValueError("a name that no file of a checkpoint has")
            return State(*numbers, values["mirror"], files)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedObjectError(
                f"is not the manifest that was written ({error})", file=str(location)
            ) from error

    def fetch(self, state: State, directory: Path) -> None:
        """Put a state in the place of what a directory holds, once all of it has arrived whole.

        Raises:
            DamagedObjectError: If a file is not what the manifest says.
            MissingObjectError: If one is not there.
            ObjectStorageError: If the server refuses or cannot be reached.
            InputError: If it cannot be written.
        """
        arriving = directory / ".arriving"
        shutil.rmtree(arriving, ignore_errors=True)
        for name, file in state.files.items():
            self._fetch(self._content(state.writer, file), arriving / name, file)
        for name, path in state_files(directory).items():
            if name not in state.files:
                path.unlink()
        for name in state.files:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (arriving / name).replace(directory / name)
        shutil.rmtree(arriving, ignore_errors=True)

    def _fetch(self, location: Location, path: Path, file: KeptFile) -> None:
        _twice(lambda: download_file(location, path, self._store, sha256=file.sha256))

    def write(self, state: State, folder: Path) -> None:
        """Send the files of a state, those that are not there already, and then its manifest.

        Raises:
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        for name, file in state.files.items():
            upload_file(folder / name, self._content(state.writer, file), self._store)
        content = state.to_json()
        self._store.put(self.place / state.name, content, hashlib.sha256(content).hexdigest())

    def remove_but(self, newest: State, previous: State | None) -> None:
        """Remove what is older than the newest state, except for another one.

        Parts that an earlier writer had sent of a file when it was killed go as well.

        Raises:
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        kept = [newest] if previous is None else [newest, previous]
        kept_names = {state.name for state in kept}
        numbers = (newest.writer, newest.sequence)
        for name in self.names():
            if name not in kept_names and (numbers_of(name) or numbers) < numbers:
                self._store.remove(self.place / name)
        named = {self._content(s.writer, file) for s in kept for file in s.files.values()}
        contents = self.place / "contents"
        for each in self._store.objects(contents):
            if self._writer_of(each.location) <= newest.writer and each.location not in named:
                self._store.remove(each.location)
        for location, upload in self._store.uploads_below(contents):
            if self._writer_of(location) < newest.writer:
                self._store.drop_upload(location, upload)

    def _writer_of(self, content: Location) -> int:
        return int(content.key.removeprefix(self.place.prefix).split("/")[1])

    def _content(self, writer: int, file: KeptFile) -> Location:
        return self.place / f"contents/{writer:06d}/{file.sha256}"


def _twice(get: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return get()
        except DamagedObjectError:
            pass
    return get()


def is_missing(error: Exception) -> bool:
    """Whether an error says that an object is not there, or not what it was."""
    missing = isinstance(error, MissingObjectError) and not isinstance(error, MissingBucketError)
    return missing or isinstance(error, DamagedObjectError)
