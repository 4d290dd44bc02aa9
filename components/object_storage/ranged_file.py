"""An object as a file that can be read anywhere, without fetching all of it."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

from components.object_storage.client import ObjectFacts, ObjectStore
from components.object_storage.errors import MissingObjectError, ObjectStorageError
from components.object_storage.location import Location

_BLOCK_BYTES = 4 << 20
_BLOCKS_KEPT = 12
_CONNECTIONS = 4


class RangedObject:
    """Reads of any range of an object, from several threads at once.

    It is fetched in blocks, of which the latest are kept, and the block after one that is asked for
    is fetched ahead: archives are mostly read from front to back. An object that is replaced
    meanwhile is noticed by its ETag, which every answer carries.

    Args:
        facts: What :meth:`ObjectStore.head` said of it.
        store: Where it is.
        block_bytes: How much is fetched with one request.

    Attributes:
        size: Bytes.
    """

    def __init__(
        self, facts: ObjectFacts, store: ObjectStore, block_bytes: int = _BLOCK_BYTES
    ) -> None:
        self.size = facts.size
        self._facts = facts
        self._store = store
        self._block_bytes = block_bytes
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_CONNECTIONS, "ranges")

    def read_at(self, begin: int, size: int) -> bytes:
        """The bytes from ``begin`` on, ``size`` of them or as many as there are.

        Raises:
            ObjectStorageError: If they cannot be fetched, or the object was replaced.
        """
        end = min(begin + size, self.size)
        if end <= begin:
            return b""
        first, last = begin // self._block_bytes, (end - 1) // self._block_bytes
        offset = begin - first * self._block_bytes
        if first == last:
            return self._block(first)[offset : offset + end - begin]
        pieces = b"".join(self._block(number) for number in range(first, last + 1))
        return pieces[offset : offset + end - begin]

    def file(self) -> BinaryIO:
        """The whole object as a seekable file, for one thread."""
        return io.BufferedReader(RangedFile(self))

    def close(self) -> None:
        """Fetch no more."""
        self._pool.shutdown(cancel_futures=True)

    def _block(self, number: int) -> bytes:
        with self._lock:
            block = self._begin(number)
            if (number + 1) * self._block_bytes < self.size:
                self._begin(number + 1)
            self._blocks.move_to_end(number)
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        try:
            return block.result()
        except BaseException:
            with self._lock:  # so that it is asked for again
                if self._blocks.get(number) is block:
                    del self._blocks[number]
            raise

    def _begin(self, number: int) -> Future[bytes]:
        if number not in self._blocks:
            self._blocks[number] = self._pool.submit(self._fetch, number)
        return self._blocks[number]

    def _fetch(self, number: int) -> bytes:
        begin = number * self._block_bytes
        length = min(self._block_bytes, self.size - begin)
        return self._store.read(self._facts.location, begin, length, self._facts.etag)


class RangedFile(io.RawIOBase):
    """A ranged object as a seekable file that is only read, for one thread."""

    def __init__(self, ranged: RangedObject) -> None:
        self._ranged = ranged
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ranged.size}
        if start[whence] + offset < 0:
            raise ValueError(f"a position before the beginning: {start[whence] + offset}")
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        content = self._ranged.read_at(self._position, len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


@contextmanager
def opened_archive(uri: str) -> Iterator[RangedObject]:
    """An archive in object storage, to be read by ranges.

    Raises:
        ObjectStorageError: If there is none, or it is a folder of loose files.
    """
    store, location = ObjectStore(), Location.parse(uri)
    try:
        facts = store.head(location)
    except MissingObjectError:
        _refuse_folder(location, store)
        raise
    ranged = RangedObject(facts, store)
    try:
        yield ranged
    finally:
        ranged.close()


def _refuse_folder(location: Location, store: ObjectStore) -> None:
    for first in store.objects(location):
        raise ObjectStorageError(
            "is a folder of loose files, which would be fetched one by one",
            file=str(location),
            found=str(first.location),
            expected="a zip archive",
            hint="Zip the files and push the archive, or pull the folder and run on that",
        )
