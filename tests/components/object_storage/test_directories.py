from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.object_storage.directories import objects_of, pull, push, verify
from components.object_storage.errors import ObjectStorageError
from frhead_core.progress import Reporter

pytestmark = pytest.mark.s3

FILES = {"a.txt": b"a" * 700_000, "deep/b.txt": b"b" * 700_000, "deep/empty": b"", "z": b"z"}


class Counting(Reporter):
    def __init__(self):
        self.begun, self.total, self.done = 0, 0, 0

    def begin(self, task, total, unit, done=0):
        self.begun, self.total = self.begun + 1, total

    def advance(self, amount=1, **figures):
        self.done += amount


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "folder"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_goes_there_and_back_with_one_task_for_all_bytes(store, bucket, folder, tmp_path):
    sending, fetching = Counting(), Counting()

    push(folder, bucket / "x", store, sending)
    pull(bucket / "x", tmp_path / "back", store, fetching)

    assert contents(tmp_path / "back") == FILES
    assert list(objects_of(bucket / "x", store)) == sorted(FILES)
    assert (sending.begun, sending.done, sending.total) == (1, 1, 1)
    assert (fetching.begun, fetching.done, fetching.total) == (1, 1, 1)
    assert verify(bucket / "x", folder, store).differences == []


def test_an_interrupted_push_goes_on(faulty_store, proxy, bucket, folder):
    proxy.plan("status", "PUT", "deep/b.txt", times=1000)
    with pytest.raises(ObjectStorageError, match="out of order"):
        push(folder, bucket / "x", faulty_store)
    proxy.faults.clear()
    proxy.requests.clear()

    push(folder, bucket / "x", faulty_store)

    assert proxy.count("PUT", "a.txt") == 0
    assert proxy.count("PUT") == 3
    assert verify(bucket / "x", folder, faulty_store).differences == []


def test_an_interrupted_pull_goes_on(faulty_store, proxy, bucket, folder, tmp_path):
    push(folder, bucket / "x", faulty_store)
    proxy.plan("status", "GET", "deep/b.txt", times=1000)
    with pytest.raises(ObjectStorageError, match="out of order"):
        pull(bucket / "x", tmp_path / "back", faulty_store)
    proxy.faults.clear()
    proxy.requests.clear()

    pull(bucket / "x", tmp_path / "back", faulty_store)

    assert proxy.count("GET", "x/a.txt") == 0
    assert contents(tmp_path / "back") == FILES


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_a_key_that_leads_out_is_refused_before_anything_is_fetched(
    name, store, bucket, folder, tmp_path, monkeypatch
):
    push(folder, bucket / "x", store)
    listed = [*store.objects(bucket / "x")]  # clients here refuse to make such a key
    listed.append(replace(listed[0], location=bucket / f"x/{name}"))
    monkeypatch.setattr(store, "objects", lambda location: iter(listed))

    with pytest.raises(ObjectStorageError, match="leads out"):
        pull(bucket / "x", tmp_path / "back", store)

    assert not (tmp_path / "back").exists()
    assert not (tmp_path / "outside").exists()


def test_each_difference_is_named(store, bucket, folder):
    push(folder, bucket / "x", store)
    store.put(bucket / "x/a.txt", b"other", "0" * 64)
    store.remove(bucket / "x/z")
    store.put(bucket / "x/new", b"new")

    found = verify(bucket / "x", folder, store)

    assert any("a.txt: damaged" in line for line in found.differences)
    assert any("a.txt: differs" in line for line in found.differences)
    assert any("z: is not in s3://" in line for line in found.differences)
    assert any("new: is not in /" in line for line in found.differences)
    assert len(found.differences) == 4
    assert found.unrecorded == [str(bucket / "x/new")]
