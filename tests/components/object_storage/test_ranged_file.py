from __future__ import annotations

import io
import os
import random
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.object_storage.errors import ChangedObjectError, ObjectStorageError
from components.object_storage.ranged_file import RangedFile, RangedObject, opened_archive

pytestmark = pytest.mark.s3

CONTENT = os.urandom(300_000)


@pytest.fixture
def ranged(faulty_store, bucket):
    faulty_store.put(bucket / "object", CONTENT)
    ranged = RangedObject(faulty_store.head(bucket / "object"), faulty_store, block_bytes=10_000)
    yield ranged
    ranged.close()


def test_any_range_is_what_the_object_holds(ranged):
    draws = random.Random(1)

    def one(_):
        begin, size = draws.randrange(310_000), draws.randrange(40_000)
        return ranged.read_at(begin, size) == CONTENT[begin : begin + size]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(40)))


def test_it_is_a_file(ranged):
    file = RangedFile(ranged)

    assert (file.seek(-10, io.SEEK_END), file.read()) == (299_990, CONTENT[-10:])
    assert (file.seek(5), file.read(7), file.tell()) == (5, CONTENT[5:12], 12)
    assert (file.seek(3, io.SEEK_CUR), file.read(2)) == (15, CONTENT[15:17])
    assert file.seekable() and file.readable() and not file.writable()
    with pytest.raises(ValueError, match="before the beginning"):
        file.seek(-1)


def test_each_block_is_fetched_once_and_the_next_one_ahead(ranged, proxy):
    for begin in range(0, 50_000, 1000):
        ranged.read_at(begin, 1000)
    ranged.close()

    assert proxy.count("GET") == 6


def test_truncated_and_broken_answers_are_fetched_again(ranged, proxy):
    for kind in ("truncated", "reset_within", "reset_after", "status"):
        proxy.plan(kind, "GET")

    assert ranged.read_at(0, 300_000) == CONTENT


def test_after_a_failure_it_can_be_asked_again(ranged, proxy):
    proxy.plan("status", "GET", times=1000)
    with pytest.raises(ObjectStorageError, match="out of order"):
        ranged.read_at(0, 10)
    proxy.faults.clear()

    assert ranged.read_at(0, 10) == CONTENT[:10]


def test_a_replaced_object_is_noticed(ranged, store, bucket):
    assert ranged.read_at(0, 10) == CONTENT[:10]
    store.put(bucket / "object", CONTENT[::-1])

    with pytest.raises(ChangedObjectError, match="replaced while it was read"):
        ranged.read_at(200_000, 10)


def test_a_zip_archive_is_read_without_fetching_it(bucket, store, proxy):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("big", os.urandom(30_000_000))
        archive.writestr("small", b"found")
    store.put(bucket / "all.zip", content.getvalue())
    proxy.requests.clear()

    with opened_archive(str(bucket / "all.zip")) as ranged:  # noqa: SIM117
        with zipfile.ZipFile(RangedFile(ranged)) as archive:
            assert archive.read("small") == b"found"

    assert proxy.count("GET") <= 2


def test_a_folder_of_loose_files_is_refused(store, bucket):
    store.put(bucket / "raw" / "a.skeleton", b"")

    with pytest.raises(ObjectStorageError, match="Zip the files"):  # noqa: SIM117
        with opened_archive(str(bucket / "raw")):
            pass
    with pytest.raises(ObjectStorageError, match=r"raw/b: does not exist"):  # noqa: SIM117
        with opened_archive(str(bucket / "raw" / "b")):
            pass
