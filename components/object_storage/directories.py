"""Files and folders to and from object storage, and whether both sides hold the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from components.object_storage.client import ObjectFacts, ObjectStore
from components.object_storage.errors import MissingObjectError, ObjectStorageError
from components.object_storage.location import Location
from components.object_storage.transfer import (
    MEGABYTE,
    checksum_of,
    download_file,
    expected_checksum,
    readable,
    upload_file,
)
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting

T = TypeVar("T")
_PARTIAL = re.compile(r"\..*\.[0-9a-f]{12}\.part")  # what an interrupted download leaves


@dataclass(frozen=True)
class Verified:
    """What a comparison found.

    Attributes:
        objects: Number of stored objects that were read.
        unrecorded: Names of those without a recorded SHA-256.
        differences: One line for each difference.
    """

    objects: int
    unrecorded: list[str]
    differences: list[str]


def push(
    path: Path, location: Location, store: ObjectStore, reporter: Reporter = SILENT
) -> list[ObjectFacts]:
    """Send a file to a location, or all files of a folder below it, in the order of their names.

    Raises:
        InputError: If there is nothing to send, or a name is no key.
        ObjectStorageError: If the server refuses or cannot be reached.
    """
    files = files_of(path)
    if not files:
        raise InputError("has no files to send", file=path)
    places = {name: _below(location, name) for name in files}
    sizes = {name: file.stat().st_size for name, file in files.items()}

    def send(name: str, inner: Reporter) -> ObjectFacts:
        return upload_file(files[name], places[name], store, inner)

    return in_turn(f"push {path.name}", sizes, send, reporter)


def pull(
    location: Location, path: Path, store: ObjectStore, reporter: Reporter = SILENT
) -> list[ObjectFacts]:
    """Fetch an object into a file, or all objects below a location into a folder.

    All keys are looked at before anything is written.

    Raises:
        InputError: If a file cannot be written.
        ObjectStorageError: If nothing is there, a key would lead out of the folder, or the server
            refuses or cannot be reached.
    """
    stored = _stored(location, store)
    places = {name: _within(path, name, facts) for name, facts in stored.items()}
    sizes = {name: facts.size for name, facts in stored.items()}

    def fetch(name: str, inner: Reporter) -> ObjectFacts:
        facts = store.head(stored[name].location)
        if not _is_copy(places[name], facts):
            download_file(facts.location, places[name], store, inner)
        return facts

    return in_turn(f"pull {location.name or location.bucket}", sizes, fetch, reporter)


def verify(
    location: Location, path: Path | None, store: ObjectStore, reporter: Reporter = SILENT
) -> Verified:
    """Read what is stored, and compare it with its recorded SHA-256 and the files at a path.

    Raises:
        InputError: If a file cannot be read.
        ObjectStorageError: If nothing is there, or the server refuses or cannot be reached.
    """
    stored = _stored(location, store)
    files = files_of(path) if path is not None else {}
    unrecorded: list[str] = []
    differences: list[str] = []

    def compare(name: str, inner: Reporter) -> None:
        facts = store.head(stored[name].location)
        content = checksum_of(facts, store, inner)
        if facts.sha256 is None:
            unrecorded.append(str(facts.location))
        elif content != facts.sha256:
            differences.append(
                f"{facts.location}: damaged, SHA-256 {content}, recorded {facts.sha256}"
            )
        if path is not None and name not in files:
            differences.append(f"{facts.location}: is not in {path}")
        elif path is not None and digest_of(files[name]) != content:
            differences.append(f"{facts.location}: differs from {files[name]}")

    sizes = {name: facts.size for name, facts in stored.items()}
    in_turn(f"verify {location.name or location.bucket}", sizes, compare, reporter)
    differences += [
        f"{file}: is not in {location}" for name, file in files.items() if name not in stored
    ]
    return Verified(len(stored), unrecorded, differences)


def files_of(path: Path) -> dict[str, Path]:
    """The files of a folder by their names below it, sorted; a file has the name ``""``."""
    if path.is_file():
        return {"": path}
    if not path.is_dir():
        raise InputError("does not exist", file=path)
    found = (file for file in path.rglob("*") if file.is_file())
    named = {f.relative_to(path).as_posix(): f for f in found if not _PARTIAL.fullmatch(f.name)}
    return dict(sorted(named.items()))


def objects_of(location: Location, store: ObjectStore) -> dict[str, ObjectFacts]:
    """The objects below a location by their names below it, or the object there, named ``""``."""
    below = {
        facts.location.key.removeprefix(location.prefix): facts for facts in store.objects(location)
    }
    if below or not location.key:
        return dict(sorted(below.items()))
    facts = store.find(location)
    return {} if facts is None else {"": facts}


def _stored(location: Location, store: ObjectStore) -> dict[str, ObjectFacts]:
    stored = objects_of(location, store)
    if not stored:
        raise MissingObjectError("does not exist, and nothing is below it", file=str(location))
    return stored


def _below(location: Location, name: str) -> Location:
    return Location.parse(str(location / name if name else location))


def _within(folder: Path, name: str, facts: ObjectFacts) -> Path:
    """The file for an object; refused where it would be outside of the folder."""
    if not name:
        return folder / facts.location.name if folder.is_dir() else folder
    relative = any(part in ("", ".", "..") for part in name.split("/"))
    if relative or "\0" in name or not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ObjectStorageError(
            "has a key that leads out of the folder, or is no path; nothing was fetched",
            file=f"s3://{facts.location.bucket}",
            found=repr(facts.location.key),
        )
    return folder / name


def _is_copy(file: Path, facts: ObjectFacts) -> bool:
    if not file.is_file() or file.stat().st_size != facts.size:
        return False
    expected, kind = expected_checksum(facts, None)
    return expected is not None and digest_of(file, kind) == expected


def digest_of(path: Path, kind: str = "sha256") -> str:
    """A checksum of the content of a file, as hex.

    Raises:
        InputError: If it cannot be read.
    """
    with readable(path) as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(kind, usedforsecurity=False)
        ).hexdigest()


class _Share(Reporter):
    """Passes the megabytes of single files on as progress of all of them."""

    def __init__(self, whole: Reporter) -> None:
        self._whole, self._told, self._bytes, self._within = whole, 0, 0, 0

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self.advance(done)

    def advance(self, amount: int = 1, **figures: float) -> None:
        self._within += amount
        self._tell(self._bytes // MEGABYTE + self._within)

    def finished(self, size: int) -> None:
        """Count a file of so many bytes, sent or not."""
        self._bytes, self._within = self._bytes + size, 0
        self._tell(self._bytes // MEGABYTE)

    def _tell(self, megabytes: int) -> None:
        if megabytes > self._told:
            self._whole.advance(megabytes - self._told)
            self._told = megabytes


def in_turn(
    task: str, sizes: Mapping[str, int], work: Callable[[str, Reporter], T], reporter: Reporter
) -> list[T]:
    """Send or fetch files one after the other, as one task.

    Args:
        task: What is done.
        sizes: Bytes of each file, by name.
        work: Does it to the file of a name, and tells the reporter of single files.
        reporter: Told of the progress of all.

    Returns:
        What ``work`` returned, in the same order.
    """
    share = _Share(reporter)
    results: list[T] = []
    with reporting(reporter, task, sum(sizes.values()) // MEGABYTE, "MB"):
        for name, size in sizes.items():
            results.append(work(name, share))
            share.finished(size)
    return results
