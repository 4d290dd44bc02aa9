"""Raw archives in object storage are prepared by ranges, with the results of local ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location
from components.object_storage.ranged_file import opened_archive
from components.object_storage.transfer import upload_file
from frhead_core.data.fingerprint import fingerprint
from frhead_core.data.raw_files import raw_data, raw_places
from pipeline.cli import exit_code_of
from pipeline.raw_data import absolute, joined
from tests.s3_proxy import FaultyProxy

pytestmark = pytest.mark.s3


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".progress" not in path.parts
    }


def prepare(raw: str, output: Path) -> int:
    arguments = ["prepare", "demo-nw-ucla", "--raw", raw, "--output", str(output)]
    return exit_code_of(arguments)


def test_an_archive_in_object_storage_gives_the_same_store(
    synthetic_zip: Path, proxy: FaultyProxy, store: ObjectStore, bucket: Location, tmp_path: Path
) -> None:
    upload_file(synthetic_zip, bucket / "all.zip", store)
    assert prepare(str(synthetic_zip), tmp_path / "local") == 0
    proxy.plan("truncated", "GET")
    proxy.plan("reset_within", "GET")

    assert prepare(str(bucket / "all.zip"), tmp_path / "remote") == 0

    assert contents(tmp_path / "remote") == contents(tmp_path / "local")
    assert not any(fault.times for fault in proxy.faults)


def test_the_fingerprint_does_not_depend_on_the_place(
    synthetic_zip: Path, store: ObjectStore, bucket: Location
) -> None:
    upload_file(synthetic_zip, bucket / "all.zip", store)
    raw = raw_data(str(bucket / "all.zip"))

    assert fingerprint("nw-ucla", raw, opened_archive) == fingerprint("nw-ucla", synthetic_zip)


def test_what_is_no_archive_or_not_there_is_one_message(
    store: ObjectStore,
    bucket: Location,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    store.put(bucket / "text.zip", b"no archive")
    for name, message in (
        ("text.zip", "text.zip: is truncated or not a zip archive"),
        ("none.zip", "none.zip: does not exist"),
    ):
        assert prepare(str(bucket / name), tmp_path / "output") == 2
        told = capfd.readouterr().err
        assert message in told
        assert "Traceback" not in told


def test_a_uri_is_refused_where_only_paths_are_taken(
    synthetic_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    arguments = ["prepare", "demo-nw-ucla", "--raw", str(synthetic_zip)]
    assert exit_code_of([*arguments, "--output", "s3://bucket/out"]) == 2
    assert not (tmp_path / "s3:" / "bucket" / "out").exists()


def test_places_here_and_there_travel_together(tmp_path: Path) -> None:
    places = (tmp_path / "a.zip", "s3://bucket/b.zip")

    assert raw_places(absolute(joined(places))) == places
