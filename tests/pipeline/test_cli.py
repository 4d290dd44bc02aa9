from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from frhead_core.backbones import BACKBONES
from frhead_core.config import benchmark_names
from frhead_core.training import launch
from frhead_core.training.loop import TrainedModel
from pipeline.cli import _COMMANDS, _MODULES, cli, exit_code_of


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_help_of_each_command_shows_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of([name, "--help"]) == 0

    assert f"Example: frhead {name}" in " ".join(capsys.readouterr().out.split())


def test_help_and_the_list_of_commands_need_nothing_heavy() -> None:
    program = (
        "import sys; from pipeline.cli import exit_code_of; code = exit_code_of(['--help']);"
        "sys.exit(code or sorted({'torch', 'kfp', 'pandas', 'numpy'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stderr
    for name in _COMMANDS:
        assert f"\n  {name} " in ran.stdout


def test_every_command_module_is_listed() -> None:
    folder = Path(sys.modules["pipeline.cli"].__file__).parent / "commands"
    modules = {path.stem for path in folder.glob("[a-z]*.py")}

    assert modules == {_MODULES.get(name, name.replace("-", "_")) for name in _COMMANDS}


def test_the_benchmarks_are_listed_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["benchmarks"]) == 0

    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:]}
    assert set(rows) == set(benchmark_names())
    assert "Northwestern-UCLA, cross-view" in rows["nw-ucla"]
    assert "96.77 %" in rows["nw-ucla"]
    assert all(line.rstrip().endswith("can be prepared") for line in rows.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nw-ukla", "--raw", "x"], "nw-ukla"),
        (["run", "nw-ucla", "--raw", "x", "--modalities", "elbow"], "elbow"),
        (["run", "nw-ucla", "--raw", "x", "--set", "training.epoch=1"], "training.epochs"),
        (["run", "nw-ucla", "--raw", "x", "--precision", "float8"], "float8"),
        (["run", "nw-ucla", "--raw", "x", "--backbone", "resnet"], "one of aagcn, ctrgcn, stgcn"),
        (["compile", "nw-ucla", "--output", "p.yaml", "--backbone", "resnet"], "found resnet"),
        (
            [
                "import-weights",
                "x.pt",
                "--benchmark",
                "nw-ucla",
                "--output",
                "o",
                "--backbone",
                "x",
            ],
            "unknown backbone; found x",
        ),
        (["compile", "nw-ucla", "--output", "pipeline.json"], ".yaml"),
        (["evaluate", "--model", "nowhere", "--data", "nowhere", "--output", "o"], "nowhere"),
        (["ensemble", "--benchmark", "nw-ucla", "--scores", "joint=gone.npz"], "gone.npz"),
        (["run", "nw-ucla"], "--raw"),
        (["run", "nw-ucla", "--raw", "x", "--processes", "3"], "found 16; expected a multiple"),
        (["no-such-command"], "no-such-command"),
        (["synthetic", "--output", "raw.zip", "--setups", "1;2"], "1;2"),
        (["synthetic", "--output", "raw.zip", "--actions", "121"], "121"),
    ],
)
def test_what_the_user_gets_wrong_is_said_and_ends_with_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code_of(arguments) == 2

    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [(KeyboardInterrupt(), 130, "the same command goes on"), (ValueError("odd"), 1, "Traceback")],
)
def test_other_ends_have_codes_of_their_own(
    error: BaseException,
    exit_code: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fail)

    assert exit_code_of(["run"]) == exit_code
    assert text in capsys.readouterr().err


def test_the_steps_work_without_a_pipeline(
    synthetic_zip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def frhead(*arguments: object, exit_code: int = 0) -> str:
        assert exit_code_of([str(argument) for argument in arguments]) == exit_code
        captured = capsys.readouterr()
        return captured.err if exit_code else captured.out

    store = tmp_path / "prepared" / "sequences"
    tiny = ["--epochs", 1, "--threads", 1, "--set", "model.base_channels=8"]
    tiny += ["--set", "loader.window=16", "--set", "loader.repeat=1"]
    frhead("prepare", "demo-nw-ucla", "--raw", synthetic_zip, "--output", tmp_path / "prepared")
    models, scores, files = [], [], []
    for modality in ("joint", "bone"):
        model, folder = tmp_path / f"model-{modality}", tmp_path / f"scores-{modality}"
        place = ["--data", store, "--checkpoint-root", tmp_path / "checkpoints"]
        frhead("train", "demo-nw-ucla", "--modality", modality, "--output", model, *place, *tiny)
        printed = frhead("evaluate", "--model", model, "--data", store, "--output", folder,
                         "--device", "cpu", "--threads", 1)  # fmt: skip
        assert f"{folder / 'last.npz'}: top-1" in printed
        assert "most often taken for" in printed
        models.append(f"{modality}={model}")
        scores.append(f"{modality}={folder}")
        files.append(f"{modality}={folder / 'last.npz'}")
    combined = tmp_path / "ensemble.npz"
    printed = frhead("ensemble", "--benchmark", "demo-nw-ucla", "--scores", *files, "--weights",
                     "joint=1", "bone=0.5", "--output", combined)  # fmt: skip
    assert combined.exists()
    assert "ensemble weights: as given" in printed
    frhead("report", "demo-nw-ucla", "--models", *models, "--scores", *scores, "--prepared",
           tmp_path / "prepared", "--output", tmp_path / "report.html")  # fmt: skip
    page = (tmp_path / "report.html").read_text()
    assert "Synthetic NW-UCLA" in page
    assert "base_channels: 8" in page
    swapped = [f"joint={tmp_path / 'model-bone'}", f"bone={tmp_path / 'model-joint'}"]
    error = frhead("report", "demo-nw-ucla", "--models", *swapped, "--scores", *scores,
                   "--output", tmp_path / "swapped.html", exit_code=2)  # fmt: skip
    assert "model of another modality; found bone; expected joint" in error
    error = frhead("ensemble", "--benchmark", "demo-nw-ucla", "--scores", files[0],
                   "--search-weights-on", f"joint={tmp_path / 'scores-joint' / 'best_on_test.npz'}",
                   exit_code=2)  # fmt: skip
    assert "joint: the ensemble weights would come from other models" in error


def test_of_several_processes_one_speaks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = TrainedModel(Path("model"), {"last": {"epoch": 1, "top1": 50.0, "top5": 90.0}})
    monkeypatch.setattr(launch, "train_in_processes", lambda *_: made)
    monkeypatch.setenv("WORLD_SIZE", "2")
    command = ["train", "nw-ucla", "--modality", "joint", "--data", "d", "--output", "model"]
    for rank, spoken in ((0, True), (1, False)):
        monkeypatch.setenv("RANK", str(rank))
        assert exit_code_of(command) == 0
        assert ("top-1 50.00 %" in capsys.readouterr().out) == spoken


@pytest.mark.golden
@pytest.mark.parametrize("backbone", BACKBONES)
def test_imported_weights_are_scored(
    backbone: str,
    synthetic_store: Path,
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = golden_folder / "models" / f"{backbone}_ucla_v0.npz"
    with np.load(file, allow_pickle=False) as arrays:
        names = [name for name in arrays.files if name.startswith("state/")]
        state = {name.removeprefix("state/"): torch.from_numpy(arrays[name]) for name in names}
    for name, tensor in state.items():
        # Random gates of ten blocks, each a factor of the next: finite for few batches only.
        if name.endswith("conv_rf.b.weight"):
            tensor.mul_(0.1)
    torch.save(state, tmp_path / "weights.pt")
    model, scores = str(tmp_path / "model"), str(tmp_path / "scores")
    assert exit_code_of(["import-weights", str(tmp_path / "weights.pt"),
                         "--benchmark", "demo-nw-ucla", "--output", model]) == 0  # fmt: skip
    evaluate = ["evaluate", "--model", model, "--data", str(synthetic_store), "--output", scores]
    assert f"recognised {backbone} with FR-Head" in capsys.readouterr().out

    assert exit_code_of(evaluate) == 0

    assert f"{scores}/last.npz: top-1" in capsys.readouterr().out
    assert (tmp_path / "scores" / "last.npz").exists()
    (tmp_path / "model" / "last.safetensors").unlink()
    assert exit_code_of(evaluate) == 2
    assert "holds no weights" in capsys.readouterr().err


def test_the_published_scores_give_the_published_accuracies(
    golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = golden_folder / "ensemble" / "published_pickles"
    modalities = ("joint", "bone", "joint_motion", "bone_motion")
    scores = [f"{name}={folder / name / 'epoch1_test_score.pkl'}" for name in modalities]

    assert exit_code_of(["ensemble", "--benchmark", "nw-ucla", "--scores", *scores]) == 0

    printed = capsys.readouterr().out
    rows = {line.split("  ")[0]: line for line in printed.splitlines()}
    expected = {"joint": "94.40", "bone": "93.10", "joint motion": "92.89", "bone motion": "89.44"}
    for name, accuracy in expected.items():
        assert accuracy in rows[name]
    assert "96.77" in rows["ensemble"]
    assert "449 of 464" in rows["ensemble"]


@pytest.mark.parametrize(
    "layout",
    [["--layout", "nw-ucla"], ["--setups", "1,18", "--actions", "1-2,61", "--frames", 40, 41]],
)
def test_the_synthetic_recordings_can_be_repeated(layout: list[object], tmp_path: Path) -> None:
    for name in ("a", "b"):
        arguments = ["--output", tmp_path / f"{name}.zip", "--performers", 1, "--replications", 1]
        assert exit_code_of(["synthetic", *map(str, arguments), *map(str, layout)]) == 0

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
