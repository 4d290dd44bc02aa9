"""``frhead predict`` as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frhead_core.config import load_recipe, override
from frhead_core.evaluation.metrics import probabilities
from frhead_core.evaluation.predict import evaluate_model
from pipeline.cli import exit_code_of
from tests.untrained import write_untrained

NAME = "a03_s01_e00_v03"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    recipe = override(load_recipe("demo-nw-ucla"), ["model.base_channels=8"])
    return {name: write_untrained(folder / name, recipe, name) for name in ("joint", "bone")}


@pytest.fixture
def recording(synthetic_zip: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(synthetic_zip) as archive:
        (tmp_path / f"{NAME}.json").write_bytes(archive.read(f"all_sqe/{NAME}.json"))
    return tmp_path / f"{NAME}.json"


def test_the_probabilities_are_those_of_the_evaluation(
    models: dict[str, Path],
    recording: Path,
    synthetic_store: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["predict", str(recording), "--model", str(models["joint"]), "--json", "--top", "10"]
    assert exit_code_of(command) == 0

    captured = capsys.readouterr()
    assert captured.err == "model: joint\n"
    said = json.loads(captured.out)
    assert said["recording"] == str(recording)
    scores = evaluate_model(models["joint"], synthetic_store, part="test", device="cpu")
    expected = probabilities(scores.logits)[scores.names.index(NAME)]
    assert len(said["predictions"]) == 10
    for row in said["predictions"]:
        assert row["class"] == scores.class_names[row["index"]]
        assert row["probability"] == pytest.approx(expected[row["index"]], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "{joint}", "--model", "bone={bone}"], "joint 0.6, bone 0.6"),
        (
            ["--model", "joint={joint}", "bone={bone}", "--weights", "joint=2", "bone=0.5"],
            "joint 2, bone 0.5 (weights: as given)",
        ),
    ],
)
def test_several_models_are_an_ensemble(
    arguments: list[str],
    told: str,
    models: dict[str, Path],
    recording: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = [argument.format_map(models) for argument in arguments]
    assert exit_code_of(["predict", *options, str(recording), str(recording), "--top", "2"]) == 0

    captured = capsys.readouterr()
    assert f"ensemble: {told}" in captured.err
    lines = captured.out.splitlines()
    assert lines[0] == str(recording) and lines[:3] == lines[3:]
    assert [line.split()[0] for line in lines[1:3]] == ["1", "2"]
    assert all(line.endswith(" %") for line in lines[1:3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{joint}"], "give recordings, or --watch-directory"),
        (["{file}", "--watch-directory", ".", "--model", "{joint}"], "give recordings, or"),
        (["{file}", "--model", "bone={joint}"], "another modality; found joint; expected bone"),
        (["{file}", "--model", "nowhere"], "nowhere/metadata.json: cannot be read"),
        (["{file}", "--model", "{joint}", "--weights", "joint=much"], "'much' is not a number"),
        (["gone.json", "--model", "{joint}"], "gone.json: cannot be read (No such file"),
        (["{file}.txt", "--model", "{joint}"], "found .txt; expected .json or .npy"),
    ],
)
def test_bad_input_is_said_in_one_message(
    arguments: list[str],
    message: str,
    models: dict[str, Path],
    recording: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = {**models, "file": recording}
    assert exit_code_of(["predict", *(each.format_map(values) for each in arguments)]) == 2

    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


@pytest.fixture
def watch(models: dict[str, Path], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts ``frhead predict --watch-directory``."""
    processes = []

    def start(folder: Path, *more: str) -> subprocess.Popen[str]:
        program = "from pipeline.cli import main; main()"
        command = ["predict", "--watch-directory", str(folder), "--model", str(models["joint"])]
        process = subprocess.Popen(
            [sys.executable, "-c", program, *command, "--settle", "0.2", *more],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_directory_is_watched_until_ctrl_c(
    watch: Callable[..., Any], recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    (folder / "first.json").write_bytes(recording.read_bytes())
    process = watch(folder, "--json", "--top", "1")
    first = json.loads(process.stdout.readline())

    (folder / "bad.json").write_text("{")
    bad = json.loads(process.stdout.readline())
    recording.rename(folder / "second.json")
    second = json.loads(process.stdout.readline())
    time.sleep(0.5)  # nothing comes twice
    process.send_signal(signal.SIGINT)
    rest, error = process.communicate(timeout=30)

    assert Path(first["recording"]).name == "first.json"
    assert Path(bad["recording"]).name == "bad.json" and "not whole JSON" in bad["error"]
    assert Path(second["recording"]).name == "second.json"
    assert first["predictions"] == second["predictions"]
    assert (rest, process.returncode) == ("", 0)
    assert error.splitlines()[-1] == "stopped: 2 predicted, 1 could not be used"


def test_a_directory_that_cannot_be_watched_is_named(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    command = ["predict", "--watch-directory", str(gone), "--model", str(models["joint"])]
    assert exit_code_of(command) == 2
    assert f"error: {gone}: cannot be read" in capsys.readouterr().err
