"""Bad input as a user meets it: one clear message and exit code 2, or a quarantine entry."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frhead_core.config import load_recipe, recipe_to_yaml
from pipeline.cli import exit_code_of

TINY = (
    "training.epochs=1",
    "model.base_channels=8",
    "loader.window=16",
    "loader.repeat=1",
    "training.batch_size=8",
)
SETTINGS = [part for setting in TINY for part in ("--set", setting)]
BAD = "a03_s01_e00_v02"

Ask = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Ask:
    """The one line that a command says when it ends with exit code 2."""

    def ask(*arguments: str | Path) -> str:
        assert exit_code_of([str(argument) for argument in arguments]) == 2
        text = capsys.readouterr().err.strip()
        assert text.startswith("error: ") and "Traceback" not in text
        return text.splitlines()[-1]

    return ask


def changed_archive(original: Path, output: Path, change: Callable[[str], str]) -> Path:
    """A copy of an archive of recordings in which one recording is changed."""
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(output, "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            target.writestr(name, change(text) if BAD in name else text)
    return output


def changed_frames(change: Callable[[list[Any]], Any]) -> Callable[[str], str]:
    def apply(text: str) -> str:
        recording = json.loads(text)
        recording["skeletons"] = change(recording["skeletons"])
        return json.dumps(recording)

    return apply


def first_joint_is_nan(frames: list[Any]) -> list[Any]:
    frames[0][0][0] = float("nan")
    return frames


BAD_RECORDINGS = {
    "cut in the middle": (lambda text: text[: len(text) // 2], "JSON"),
    "joint count": (changed_frames(lambda frames: [frame[:-1] for frame in frames]), "19"),
    "not a number": (changed_frames(first_joint_is_nan), "finite|NaN|number"),
    "empty": (changed_frames(lambda frames: []), "no frame|empty|frames"),
}


@pytest.mark.parametrize("kind", sorted(BAD_RECORDINGS))
def test_one_bad_recording_is_set_aside_and_many_stop(
    kind: str, synthetic_zip: Path, tmp_path: Path, refused: Ask
) -> None:
    change, reason = BAD_RECORDINGS[kind]
    raw = changed_archive(synthetic_zip, tmp_path / "raw.zip", change)
    message = refused(
        "prepare", "demo-nw-ucla", "--raw", raw, "--output", tmp_path / "strict",
        "--set", "preparation.max_quarantined_share=0.01",
    )  # fmt: skip
    assert BAD in message
    prepared = tmp_path / "prepared"
    assert (
        exit_code_of(["prepare", "demo-nw-ucla", "--raw", str(raw), "--output", str(prepared)]) == 0
    )
    entries = (prepared / "sequences" / "quarantine.csv").read_text().splitlines()
    assert len(entries) == 2
    assert entries[1].startswith(BAD)
    assert re.search(reason, entries[1])
    assert BAD not in (prepared / "sequences" / "index.csv").read_text()


def test_an_unknown_action_number_is_set_aside(
    synthetic_zip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw.zip"
    with zipfile.ZipFile(synthetic_zip) as source, zipfile.ZipFile(raw, "w") as target:
        for name in source.namelist():
            text = source.read(name).decode()
            target.writestr(
                name.replace(BAD, "a07_s01_e00_v02"), text.replace(BAD, "a07_s01_e00_v02")
            )
    assert (
        exit_code_of(
            ["prepare", "demo-nw-ucla", "--raw", str(raw), "--output", str(tmp_path / "p")]
        )
        == 0
    )
    entries = (tmp_path / "p" / "sequences" / "quarantine.csv").read_text()
    assert "a07_s01_e00_v02" in entries and "unknown action number 7," in entries


@pytest.mark.slow
def test_the_report_of_a_run_lists_what_was_set_aside(synthetic_zip: Path, tmp_path: Path) -> None:
    change, _ = BAD_RECORDINGS["cut in the middle"]
    raw = changed_archive(synthetic_zip, tmp_path / "raw.zip", change)
    command = ("run", "demo-nw-ucla", "--raw", raw, "--modalities", "joint", *SETTINGS)
    places = ("--work-directory", tmp_path / "runs", "--output", tmp_path / "results")
    ran = subprocess.run(
        [Path(sys.executable).with_name("frhead"), *map(str, command + places)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert BAD in (tmp_path / "results" / "report.html").read_text()


def test_a_truncated_archive(synthetic_zip: Path, tmp_path: Path, refused: Ask) -> None:
    raw = tmp_path / "cut.zip"
    raw.write_bytes(synthetic_zip.read_bytes()[:-5000])
    assert str(raw) in refused("prepare", "demo-nw-ucla", "--raw", raw, "--output", tmp_path / "p")


def test_missing_recordings_of_the_benchmark(
    synthetic_zip: Path, tmp_path: Path, refused: Ask
) -> None:
    message = refused("prepare", "nw-ucla", "--raw", synthetic_zip, "--output", tmp_path / "p")
    assert str(synthetic_zip) in message
    assert "a01_s01_e01" in message


def test_an_unknown_recipe_key(synthetic_zip: Path, tmp_path: Path, refused: Ask) -> None:
    recipe = tmp_path / "own.yaml"
    text = recipe_to_yaml(load_recipe("demo-nw-ucla"))
    recipe.write_text(text.replace("batch_size", "batchsize", 1))
    message = refused("run", recipe, "--raw", synthetic_zip, "--work-directory", tmp_path / "runs")
    assert message.startswith(f"error: {recipe}:")
    assert "batchsize: unknown key. Did you mean batch_size?" in message


def test_a_modality_that_does_not_exist(synthetic_zip: Path, tmp_path: Path, refused: Ask) -> None:
    message = refused(
        "run", "demo-nw-ucla", "--raw", synthetic_zip, "--modalities", "elbow",
        "--work-directory", tmp_path / "runs",
    )  # fmt: skip
    assert "found elbow; expected one of joint, bone, joint_motion, bone_motion" in message


def test_a_store_made_by_another_version(
    synthetic_store: Path, tmp_path: Path, refused: Ask
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for file in synthetic_store.iterdir():
        (store / file.name).symlink_to(file)
    metadata = json.loads((synthetic_store / "metadata.json").read_text())
    (store / "metadata.json").unlink()
    (store / "metadata.json").write_text(json.dumps(metadata | {"format_version": 99}))
    message = refused(
        "train", "demo-nw-ucla", "--modality", "joint", "--data", store, "--output", tmp_path / "m",
        "--checkpoint-root", tmp_path / "c", *SETTINGS,
    )  # fmt: skip
    assert str(store / "metadata.json") in message
    assert "format_version" in message and "found 99" in message


def test_a_place_that_cannot_be_written(tmp_path: Path, refused: Ask) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "raw.zip"
    assert str(tmp_path / "file") in refused("synthetic", "--output", output)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with too little room for a checkpoint."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounting.returncode:
        pytest.skip(f"mounting a file system is not allowed here: {mounting.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_while_writing_a_checkpoint(
    synthetic_store: Path, tmp_path: Path, small_disk: Path, refused: Ask
) -> None:
    arguments = [
        "train", "demo-nw-ucla", "--modality", "joint", "--data", str(synthetic_store),
        "--output", str(tmp_path / "m"), "--checkpoint-root", str(small_disk), *SETTINGS,
    ]  # fmt: skip
    message = refused(*arguments)
    assert str(small_disk) in message
    assert "No space left on device" in message
    assert "run the same command again" in message
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert exit_code_of(arguments) == 0
