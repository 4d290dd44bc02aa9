"""``frhead run --pipeline-root`` as a user starts it, from an archive in object storage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location
from components.object_storage.transfer import upload_file
from pipeline.cli import exit_code_of
from pipeline.local_runs import LocalRuns
from tests.pipeline.test_frhead_run import TINY
from tests.s3_fixtures import QUICK, SECRET_KEY
from tests.s3_proxy import FaultyProxy

pytestmark = pytest.mark.s3


def frhead_run(raw: object, work_directory: Path, *arguments: str) -> int:
    settings = [part for setting in TINY for part in ("--set", setting)]
    command = ["run", "demo-nw-ucla", "--raw", str(raw), "--modalities", "joint"]
    return exit_code_of([*command, "--work-directory", str(work_directory), *settings, *arguments])


def record(work_directory: Path) -> dict[str, Any]:
    path = max(work_directory.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(path.read_text()) | {"folder": path.parent}


def results(run: dict[str, Any]) -> dict[str, bytes]:
    folder = run["folder"] / "results"
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_an_empty_work_directory_ends_in_the_same_results_with_everything_cached(
    synthetic_zip: Path,
    store: ObjectStore,
    bucket: Location,
    proxy: FaultyProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    upload_file(synthetic_zip, bucket / "all.zip", store)
    for machine in ("first", "second"):
        root = f"--pipeline-root={bucket}/root"
        assert frhead_run(bucket / "all.zip", tmp_path / machine, root) == 0

    first, second = record(tmp_path / "first"), record(tmp_path / "second")
    assert {step["status"] for step in first["steps"]} == {"done"}
    assert [step["name"] for step in second["steps"] if step["status"] != "cached"] == [
        "fingerprint_data"
    ]
    assert results(second) == results(first)
    assert second["how"]["pipeline_root"] == f"{bucket}/root"
    assert not (tmp_path / "second" / "checkpoints").exists()

    # A root that fails after the run has begun: the results are whole, and its end says the rest.
    monkeypatch.setattr("components.object_storage.client.Patience", lambda: QUICK)
    proxy.plan("status", "PUT", "/files/", times=1000)
    capfd.readouterr()
    assert (
        frhead_run(bucket / "all.zip", tmp_path / "second", f"--pipeline-root={bucket}/other") == 2
    )
    error = capfd.readouterr().err
    third = record(tmp_path / "second")
    assert error.startswith(f"error: {bucket}/other/files/")
    assert "object storage is out of order" in error
    assert f"The results are whole, in {third['folder'] / 'results'}" in error
    assert (third["status"], results(third)) == ("failed", results(first))
    assert f"not all is in {bucket}/other" in LocalRuns(tmp_path / "second").runs(1)[0].error


def test_what_cannot_be_used_is_told_before_anything_runs(
    synthetic_zip: Path,
    bucket: Location,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refusal(place: str) -> str:
        assert frhead_run(synthetic_zip, tmp_path / "runs", "--pipeline-root", place) == 2
        output, error = capfd.readouterr()
        assert output == ""
        assert not (tmp_path / "runs").exists()
        assert len(error.splitlines()) == 1
        return error

    assert "/somewhere: is not in object storage; expected s3://bucket/key" in refusal("/somewhere")
    assert "the bucket does not exist" in refusal("s3://no-such-bucket/root")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY[::-1])
    told = refusal(f"{bucket}/root")
    assert "secret key is wrong" in told
    assert SECRET_KEY[::-1] not in told
