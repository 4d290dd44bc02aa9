"""Files to and from object storage: in parts, checked, and gone on with after an interruption."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from components.object_storage.client import ObjectFacts, ObjectStore
from components.object_storage.errors import DamagedObjectError, ObjectStorageError
from components.object_storage.location import Location
from frhead_core.data.ordered import ordered_map
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting

PART_BYTES = 8 << 20
_CONNECTIONS = 3
_MOST_PARTS = 10_000
_MD5_DIGITS = 32
MEGABYTE = 1_000_000


def upload_file(
    path: Path,
    location: Location,
    store: ObjectStore,
    reporter: Reporter = SILENT,
    part_bytes: int = PART_BYTES,
) -> ObjectFacts:
    """Send a file; its SHA-256 goes into the object's metadata.

    Parts that an interrupted upload of the same content has sent are not sent again, and nothing
    is sent when the object has this content already. The object appears as a whole.

    Args:
        path: The file.
        location: Where to.
        store: The server.
        reporter: Told of the progress.
        part_bytes: Size of a part, at least 5 MiB.

    Raises:
        InputError: If the file cannot be read, or changes meanwhile.
        ObjectStorageError: If the server refuses or cannot be reached.
    """
    with readable(path) as file:
        before = os.fstat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = before.st_size
        there = store.find(location)
        if there is not None and (there.size, there.sha256) == (size, sha256):
            reporter.message(f"{location}: there already")
            return there
        with _megabytes(reporter, f"upload {path.name}", size) as advance:
            if size <= part_bytes:
                store.put(location, os.pread(file.fileno(), size, 0), sha256)
                advance(size)
            else:
                part_bytes = max(part_bytes, -(-size // _MOST_PARTS))
                _send_in_parts(file, size, location, store, sha256, part_bytes, advance)
        after = os.fstat(file.fileno())
    sent = store.head(location)
    if (sent.size, sent.sha256) != (size, sha256):
        raise ObjectStorageError(
            "holds something else than was sent",
            file=str(location),
            found=f"{sent.size} bytes, SHA-256 {sent.sha256}",
            expected=f"{size} bytes, {sha256}",
            hint="Perhaps another process wrote it at the same time; send it again",
        )
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError("has changed while it was sent", file=path, hint="Send it again")
    return sent


def _send_in_parts(
    file: BinaryIO,
    size: int,
    location: Location,
    store: ObjectStore,
    sha256: str,
    part_bytes: int,
    advance: Callable[[int], None],
) -> None:
    begins = range(0, size, part_bytes)
    upload, sent = _upload_to_go_on_with(file, location, store, part_bytes)
    if upload is None:
        upload = store.begin_upload(location, sha256)

    def send(begin: int) -> tuple[int, str, int]:
        number = begin // part_bytes + 1
        length = min(part_bytes, size - begin)
        if number in sent and sent[number][1] == length:
            return number, sent[number][0], length
        content = os.pread(file.fileno(), length, begin)
        if len(content) != length:
            raise InputError("has become shorter while it was sent", file=file.name)
        return number, store.send_part(location, upload, number, content), length

    etags: dict[int, str] = {}
    for number, etag, length in ordered_map(send, begins, threads=_CONNECTIONS):
        etags[number] = etag
        advance(length)
    try:
        store.finish_upload(location, upload, etags)
    except ObjectStorageError:
        # The answer to an earlier try may have been lost: then the upload has become the object.
        there = store.find(location)
        if there is None or there.sha256 != sha256:
            raise


def _upload_to_go_on_with(
    file: BinaryIO, location: Location, store: ObjectStore, part_bytes: int
) -> tuple[str | None, dict[int, tuple[str, int]]]:
    """An unfinished upload whose parts are all parts of this file; others are dropped."""
    found: tuple[str | None, dict[int, tuple[str, int]]] = (None, {})
    for upload in store.uploads(location):
        parts = store.parts(location, upload)
        if found[0] is None and all(
            etag == _md5(os.pread(file.fileno(), part_bytes, (number - 1) * part_bytes))
            for number, (etag, _) in parts.items()
        ):
            found = upload, parts
        else:
            store.drop_upload(location, upload)
    return found


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def download_file(
    location: Location,
    path: Path,
    store: ObjectStore,
    reporter: Reporter = SILENT,
    part_bytes: int = PART_BYTES,
    sha256: str | None = None,
) -> ObjectFacts:
    """Fetch an object into a file that appears as a whole, once its checksum is right.

    What an interrupted download has fetched of the same version is kept beside the file and gone
    on from.

    Args:
        location: The object.
        path: The file to make; one that is there is replaced.
        store: The server.
        reporter: Told of the progress.
        part_bytes: How much is fetched with one request.
        sha256: Expected of the content, as hex; without it the one in the object's metadata, or
            else its ETag where that is an MD5.

    Raises:
        InputError: If the file cannot be written.
        DamagedObjectError: If what arrives has another checksum.
        ObjectStorageError: If the server refuses or cannot be reached.
    """
    facts = store.head(location)
    partial = path.with_name(f".{path.name}.{_md5(facts.etag.encode())[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f".{path.name}.????????????.part"):
            if old != partial:
                old.unlink()
        with partial.open("a+b") as file, _alone(file, location):
            expected, name = expected_checksum(facts, sha256)
            found = _fetch(facts, file, store, reporter, part_bytes, name)
            if expected is not None and found != expected:
                partial.unlink()
                raise DamagedObjectError(
                    "what arrived has another checksum; it was thrown away",
                    file=str(location),
                    found=f"{name} {found}",
                    expected=expected,
                    hint="Fetch it again; if that does not help, the object is damaged",
                )
            os.fsync(file.fileno())
            partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})",
            file=path,
            hint="Make room; what has arrived is kept and gone on from",
        ) from error
    return facts


@contextmanager
def _alone(file: BinaryIO, location: Location) -> Iterator[None]:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ObjectStorageError(
            "another process fetches this into the same place", file=str(location)
        ) from error
    yield


def expected_checksum(facts: ObjectFacts, sha256: str | None) -> tuple[str | None, str]:
    """What an object's checksum should be (None where nothing says so), and of which kind."""
    if sha256 or facts.sha256:
        return sha256 or facts.sha256, "sha256"
    plain = len(facts.etag) == _MD5_DIGITS and "-" not in facts.etag
    return (facts.etag, "md5") if plain else (None, "sha256")


def _fetch(
    facts: ObjectFacts,
    file: BinaryIO,
    store: ObjectStore,
    reporter: Reporter,
    part_bytes: int,
    checksum: str,
) -> str:
    """Fill up a file that may hold the beginning of an object; the checksum of all of it."""
    if file.seek(0, os.SEEK_END) > facts.size:
        file.truncate(0)
    file.seek(0)
    digest = hashlib.new(checksum, usedforsecurity=False)
    while piece := file.read(1 << 20):
        digest.update(piece)
    done = file.tell()
    with _megabytes(reporter, f"download {facts.location.name}", facts.size, done) as advance:
        for content in _pieces(facts, store, part_bytes, done):
            file.write(content)
            file.flush()
            digest.update(content)
            advance(len(content))
    return digest.hexdigest()


def _pieces(
    facts: ObjectFacts, store: ObjectStore, part_bytes: int, begin: int = 0
) -> Iterator[bytes]:
    """What an object holds from a place on, in order, several pieces being fetched at a time."""

    def fetch(place: int) -> bytes:
        length = min(part_bytes, facts.size - place)
        return store.read(facts.location, place, length, facts.etag)

    return ordered_map(fetch, range(begin, facts.size, part_bytes), threads=_CONNECTIONS)


def checksum_of(facts: ObjectFacts, store: ObjectStore, reporter: Reporter = SILENT) -> str:
    """SHA-256 of what an object holds, read from the server from beginning to end."""
    digest = hashlib.sha256()
    with _megabytes(reporter, f"read {facts.location.name}", facts.size) as advance:
        for content in _pieces(facts, store, PART_BYTES):
            digest.update(content)
            advance(len(content))
    return digest.hexdigest()


@contextmanager
def readable(path: Path) -> Iterator[BufferedReader]:
    """A file to read, whose errors are said in our terms.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from error


@contextmanager
def _megabytes(
    reporter: Reporter, task: str, size: int, done: int = 0
) -> Iterator[Callable[[int], None]]:
    """A task that is told of in whole megabytes; yields what is called with numbers of bytes."""
    counted = done

    def advance(amount: int) -> None:
        nonlocal counted
        told = counted // MEGABYTE
        counted += amount
        reporter.advance(counted // MEGABYTE - told)

    with reporting(reporter, task, size // MEGABYTE, "MB", done // MEGABYTE):
        yield advance
