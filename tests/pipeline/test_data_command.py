from __future__ import annotations

from pathlib import Path

import pytest

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location
from pipeline.cli import exit_code_of

pytestmark = pytest.mark.s3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/a").write_bytes(b"first")
    (tmp_path / "folder/deep/b").write_bytes(b"second")
    return tmp_path / "folder"


def data(*arguments: object) -> int:
    return exit_code_of(["data", *map(str, arguments)])


def test_a_folder_there_listed_verified_and_back(
    bucket: Location, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data("push", folder, bucket / "x") == 0
    assert data("list", bucket / "x") == 0
    listed = capsys.readouterr().out
    assert data("verify", bucket / "x", folder) == 0
    assert data("pull", bucket / "x", tmp_path / "back") == 0

    assert "deep/b" in listed
    assert "total: 2 files, 11 bytes" in listed
    assert (tmp_path / "back/deep/b").read_bytes() == b"second"


def test_a_single_file(bucket: Location, folder: Path, tmp_path: Path) -> None:
    assert data("push", folder / "a", f"{bucket}/files/") == 0
    assert data("verify", bucket / "files/a", folder / "a") == 0
    assert data("pull", bucket / "files/a", tmp_path / "copy") == 0

    assert (tmp_path / "copy").read_bytes() == b"first"


def test_a_damaged_object_ends_with_1(
    store: ObjectStore, bucket: Location, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data("push", folder, bucket / "x")
    store.put(bucket / "x/a", b"fir5t", "0" * 64)

    assert data("verify", bucket / "x") == 1

    assert f"{bucket}/x/a: damaged" in capsys.readouterr().out


def test_a_missing_bucket_is_one_message(
    bucket: Location, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ("push", folder, "s3://no-such-bucket/x"),
        ("pull", "s3://no-such-bucket/x", folder),
        ("list", "s3://no-such-bucket"),
        ("verify", "s3://no-such-bucket/x", folder),
    ):
        assert data(*arguments) == 2
        assert "the bucket does not exist" in capsys.readouterr().err


def test_wrong_credentials_are_not_repeated(
    bucket: Location,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")

    for arguments in (("push", folder, bucket / "x"), ("list", bucket)):
        assert data(*arguments) == 2
        said = "".join(capsys.readouterr())
        assert "error: " in said
        assert "AWS_SECRET_ACCESS_KEY" in said
        assert "not-the-secret" not in said
