from __future__ import annotations

import io
import os
import tracemalloc
import zipfile

import pytest

from frhead_core.data.raw_files import DamagedFileError, fingerprint_files, open_raw_files
from frhead_core.errors import InputError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("all/", "")
        file.writestr("all/b.json", "bb")
        file.writestr("all/a.json", "aaaaaaaaaa")
        file.writestr("all/readme.txt", "")
        file.writestr("__MACOSX/all/._a.json", "")
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    (path / "all").mkdir(parents=True)
    (path / "all" / "b.json").write_text("bb")
    (path / "all" / "a.json").write_text("aaaaaaaaaa")
    (path / "all" / ".hidden.json").write_text("")
    return path


def mark(path):
    with open_raw_files(path, ".json") as files:
        return fingerprint_files(files)


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_names_and_contents(kind, request):
    with open_raw_files(request.getfixturevalue(kind), ".json") as files:
        assert files.names == ("all/a.json", "all/b.json")
        assert files.read("all/a.json") == b"aaaaaaaaaa"


def test_fingerprint_follows_names_and_contents_only(folder):
    before = mark(folder)
    os.utime(folder / "all" / "a.json", (1, 1))
    assert mark(folder) == before
    (folder / "all" / "a.json").write_text("aaaaaaaaab")
    changed = mark(folder)
    assert changed != before
    (folder / "all" / "a.json").rename(folder / "all" / "c.json")
    assert mark(folder) not in (before, changed)


def test_fingerprint_of_an_archive_follows_its_contents(archive):
    before = mark(archive)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("all/c.json", "")
    assert mark(archive) != before


def test_no_such_path(tmp_path):
    with (
        pytest.raises(InputError, match=r"nothing\.zip: does not exist; expected a directory or a"),
        open_raw_files(tmp_path / "nothing.zip", ".json"),
    ):
        pass


def test_a_truncated_archive(archive):
    archive.write_bytes(archive.read_bytes()[:-30])
    with (
        pytest.raises(InputError, match=r"all\.zip: is truncated or not a zip archive"),
        open_raw_files(archive, ".json"),
    ):
        pass


def test_not_an_archive(tmp_path):
    path = tmp_path / "all.rar"
    path.write_bytes(b"Rar!" * 100)
    with (
        pytest.raises(InputError, match=r"all\.rar: is truncated or not a zip archive"),
        open_raw_files(path, ".json"),
    ):
        pass


def test_nothing_in_it(tmp_path):
    with pytest.raises(InputError, match=r"has no \.json file"), open_raw_files(tmp_path, ".json"):
        pass


def test_a_damaged_member_is_told_from_a_damaged_archive(archive):
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"aaaaaaaaaa", b"aaaaaaaaax", 1))
    with open_raw_files(archive, ".json") as files:
        assert files.read("all/b.json") == b"bb"
        with pytest.raises(DamagedFileError, match="is damaged in the archive"):
            files.read("all/a.json")


def test_a_member_is_inflated_no_further_than_it_claims(tmp_path):
    path, size = tmp_path / "all.zip", 50_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.json", bytes(size))
    content = path.read_bytes()
    claimed = content.replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert claimed != content
    path.write_bytes(claimed)
    tracemalloc.start()
    with open_raw_files(path, ".json") as files, pytest.raises(DamagedFileError, match="11 bytes"):
        files.read("a.json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def read_everything(path):
    """What is wrong with each file of an archive that opens."""
    reasons = []
    with open_raw_files(path, ".json") as files:
        fingerprint_files(files)
        for name in files.names:
            try:
                files.read(name)
            except DamagedFileError as error:
                reasons.append(str(error))
    return reasons


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_no_spoilt_byte_escapes_the_two_errors(compression, tmp_path):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as file:
        file.writestr("all/é.json", "a" * 40 + "bcd")
        file.writestr("all/b.json", "bb" * 30)
    content, path = whole.getvalue(), tmp_path / "all.zip"
    refused, damaged = 0, 0
    for place in range(len(content)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(
                content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]
            )
            try:
                damaged += bool(read_everything(path))
            except InputError as error:
                assert str(path) in str(error)
                refused += 1
    assert refused > 50
    assert damaged > 100


def test_no_cut_archive_escapes_as_another_error(archive):
    content = archive.read_bytes()
    for length in range(len(content)):
        archive.write_bytes(content[:length])
        with pytest.raises(InputError, match="is truncated or not a zip archive"):
            read_everything(archive)
