"""``--checkpoint-root s3://bucket/prefix``, as a user gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.object_storage.location import Location
from pipeline.cli import exit_code_of

pytestmark = pytest.mark.s3

TINY = ("training.epochs=1", "model.base_channels=8", "loader.window=16", "loader.repeat=1")
SETTINGS = [part for setting in TINY for part in ("--set", setting)]


def test_a_model_that_was_trained_here_is_not_trained_again_elsewhere(
    synthetic_store: Path,
    bucket: Location,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    weights, told = [], []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        places = ["--data", synthetic_store, "--output", "model", "--threads", 1]
        root = ["--checkpoint-root", bucket / "checkpoints/"]
        command = ["train", "demo-nw-ucla", "--modality", "joint", *places, *root, *SETTINGS]
        assert exit_code_of(list(map(str, command))) == 0
        weights.append(Path("model/last.safetensors").read_bytes())
        told.append("".join(capfd.readouterr()))
    assert "epoch 1/1" in told[0]
    assert f"fetching the checkpoint {bucket}/checkpoints/" in told[1]
    assert "every epoch is done" in told[1]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("place", "secret", "message"),
    [
        ("s3://no-such-bucket-here/checkpoints", None, "the bucket does not exist"),
        ("{bucket}/checkpoints", "a-wrong-secret", "the access key or the secret key is wrong"),
        ("gs://bucket/checkpoints", None, "is not on this machine"),
    ],
)
def test_what_cannot_work_ends_a_run_before_it_begins(
    place: str,
    secret: str | None,
    message: str,
    synthetic_zip: Path,
    bucket: Location,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if secret is not None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    places = ["--raw", str(synthetic_zip), "--work-directory", str(tmp_path / "runs")]
    root = ["--checkpoint-root", place.format(bucket=bucket)]
    assert exit_code_of(["run", "demo-nw-ucla", *places, *root]) == 2
    told = capfd.readouterr().err
    assert message in told
    assert "a-wrong-secret" not in told
    assert not (tmp_path / "runs").exists()
