from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from components.object_storage.errors import ObjectStorageError
from components.object_storage.transfer import checksum_of, download_file, upload_file
from frhead_core.progress import Reporter
from tests.s3_proxy import Fault

pytestmark = pytest.mark.s3

PART = 5 << 20
CONTENT = os.urandom(1000) * 16_000  # 16 MB, so that there are four parts
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Counting(Reporter):
    def __init__(self):
        self.total, self.done, self.before = 0, 0, 0

    def begin(self, task, total, unit, done=0):
        self.total, self.done, self.before = total, done, done

    def advance(self, amount=1, **figures):
        self.done += amount


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.zip"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_small_files_go_there_and_back(size, store, bucket, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:size])

    upload_file(tmp_path / "file", bucket / "file", store)
    download_file(bucket / "file", tmp_path / "back", store)

    assert (tmp_path / "back").read_bytes() == CONTENT[:size]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "file"]


def test_a_big_file_goes_in_parts_and_says_how_far_it_is(store, bucket, big, tmp_path):
    sending, fetching = Counting(), Counting()

    facts = upload_file(big, bucket / "big", store, sending, PART)
    download_file(bucket / "big", tmp_path / "back", store, fetching, PART)

    assert facts.etag.endswith("-4")
    assert facts.sha256 == SHA256
    assert (tmp_path / "back").read_bytes() == CONTENT
    assert sending.done == sending.total == fetching.done == fetching.total == 16
    assert checksum_of(facts, store) == SHA256


def test_what_is_there_is_not_sent_again(faulty_store, proxy, bucket, big):
    upload_file(big, bucket / "big", faulty_store, part_bytes=PART)
    proxy.requests.clear()

    upload_file(big, bucket / "big", faulty_store, part_bytes=PART)

    assert proxy.count("PUT") == 0


def test_an_interrupted_upload_goes_on_with_the_parts_that_are_missing(
    faulty_store, proxy, bucket, big
):
    proxy.plan("status", "PUT", "partNumber=3", times=1000)
    with pytest.raises(ObjectStorageError, match="out of order"):
        upload_file(big, bucket / "big", faulty_store, part_bytes=PART)
    assert [each.location for each in faulty_store.objects(bucket)] == []
    proxy.faults.clear()
    upload = faulty_store.uploads(bucket / "big")[0]
    there = faulty_store.parts(bucket / "big", upload)
    proxy.requests.clear()

    upload_file(big, bucket / "big", faulty_store, part_bytes=PART)

    assert there
    assert proxy.count("PUT", "partNumber") == 4 - len(there)
    assert faulty_store.read(bucket / "big") == CONTENT
    assert faulty_store.uploads(bucket / "big") == []


def test_parts_of_another_content_are_not_used(faulty_store, proxy, bucket, big):
    proxy.plan("status", "POST", "uploadId", status=400)
    with pytest.raises(ObjectStorageError):
        upload_file(big, bucket / "big", faulty_store, part_bytes=PART)
    changed = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    big.write_bytes(changed)

    facts = upload_file(big, bucket / "big", faulty_store, part_bytes=PART)

    assert faulty_store.read(bucket / "big") == changed
    assert facts.sha256 == hashlib.sha256(changed).hexdigest()
    assert faulty_store.uploads(bucket / "big") == []


def test_a_finish_whose_answer_was_lost_counts(faulty_store, proxy, bucket, big):
    proxy.plan("reset_after", "POST", "uploadId")

    facts = upload_file(big, bucket / "big", faulty_store, part_bytes=PART)

    assert facts.sha256 == SHA256


def test_an_interrupted_download_goes_on_by_range(faulty_store, proxy, bucket, big, tmp_path):
    upload_file(big, bucket / "big", faulty_store, part_bytes=PART)
    target = tmp_path / "folder" / "back"
    third = 2 << 20
    proxy.faults.append(Fault("status", lambda *request: begin_of(request[2]) >= third, times=1000))
    with pytest.raises(ObjectStorageError, match="out of order"):
        download_file(bucket / "big", target, faulty_store, part_bytes=1 << 20)
    assert not target.exists()
    (partial,) = target.parent.iterdir()
    kept = partial.stat().st_size
    proxy.faults.clear()
    proxy.requests.clear()
    progress = Counting()

    download_file(bucket / "big", target, faulty_store, progress, part_bytes=1 << 20)

    assert kept > 0
    assert target.read_bytes() == CONTENT
    assert min(ranges(proxy)) == kept
    assert progress.before == kept // 1_000_000
    assert [path.name for path in target.parent.iterdir()] == ["back"]


def ranges(proxy) -> list[int]:
    """Where the ranges began that were asked for."""
    begins = (begin_of(headers) for method, _, headers in proxy.requests if method == "GET")
    return [begin for begin in begins if begin >= 0]


def begin_of(headers: dict[str, str]) -> int:
    """Where the range begins that a request asks for; -1 if it asks for none."""
    return int(headers["Range"][6:].split("-")[0]) if "Range" in headers else -1


def test_resets_and_truncated_bodies_in_mid_transfer_lose_nothing(
    faulty_store, proxy, bucket, big, tmp_path
):
    proxy.plan("reset_after", "PUT", "partNumber=2")
    proxy.plan("reset_before", "PUT", "partNumber=3")
    proxy.plan("damaged_request", "PUT", "partNumber=4")
    upload_file(big, bucket / "big", faulty_store, part_bytes=PART)
    for kind in ("truncated", "reset_within", "reset_before", "status"):
        proxy.plan(kind, "GET", "/big")

    download_file(bucket / "big", tmp_path / "back", faulty_store, part_bytes=PART)

    assert (tmp_path / "back").read_bytes() == CONTENT
    assert not any(fault.times for fault in proxy.faults)


def test_a_wrong_checksum_leaves_nothing(faulty_store, proxy, bucket, big, tmp_path):
    upload_file(big, bucket / "big", faulty_store, part_bytes=PART)
    proxy.plan("damaged_answer", "GET", "/big")
    target = tmp_path / "folder" / "back"

    with pytest.raises(ObjectStorageError, match="what arrived has another checksum"):
        download_file(bucket / "big", target, faulty_store, part_bytes=PART)
    assert list(target.parent.iterdir()) == []
    download_file(bucket / "big", target, faulty_store, part_bytes=PART)
    assert target.read_bytes() == CONTENT


def test_the_md5_of_an_object_from_elsewhere_is_checked(faulty_store, proxy, bucket, tmp_path):
    faulty_store.put(bucket / "foreign", b"content")
    proxy.plan("damaged_answer", "GET", "/foreign")

    with pytest.raises(ObjectStorageError, match="found md5"):
        download_file(bucket / "foreign", tmp_path / "back", faulty_store)


def test_an_object_replaced_in_mid_download_is_fetched_anew(
    faulty_store, store, proxy, bucket, big, tmp_path
):
    upload_file(big, bucket / "big", store, part_bytes=PART)
    proxy.plan("call", "GET", "/big", action=lambda: store.put(bucket / "big", b"new"))

    with pytest.raises(ObjectStorageError, match="replaced while it was read"):
        download_file(bucket / "big", tmp_path / "back", faulty_store, part_bytes=PART)
    download_file(bucket / "big", tmp_path / "back", faulty_store, part_bytes=PART)

    assert (tmp_path / "back").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "big.zip"]
