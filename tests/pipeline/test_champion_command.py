"""Retraining and champions as a user sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import exit_code_of

TINY = [
    part
    for setting in (
        "training.epochs=1",
        "model.base_channels=8",
        "loader.window=16",
        "loader.repeat=1",
        "training.batch_size=8",
    )
    for part in ("--set", setting)
]


def statuses(work_directory: Path) -> dict[str, str]:
    newest = max(work_directory.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    return {step["name"]: step["status"] for step in json.loads(newest.read_text())["steps"]}


@pytest.mark.slow
def test_retraining_what_is_unchanged_repeats_the_promotion_alone(
    synthetic_zip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    place = tmp_path / "champions"

    def run(*more: str) -> str:
        command = ["run", "demo-nw-ucla", "--raw", str(synthetic_zip), "--modalities", "joint"]
        folders = ["--work-directory", str(tmp_path / "runs"), "--champions", str(place)]
        assert exit_code_of([*command, *folders, *TINY, *more]) == 0
        return capsys.readouterr().out

    def champion(*arguments: str) -> str:
        name, *more = arguments
        options = ["demo-nw-ucla", "--champions", str(place)]
        assert exit_code_of(["champion", name, *options, *more]) == 0
        return capsys.readouterr().out

    first = run()
    assert "champion 1 of demo-nw-ucla: promoted: there is no champion yet" in first
    second = run("--set", "promotion.significance=1")
    assert "champion 1 stays: refused against champion 1: another model" in second
    assert {name for name, status in statuses(tmp_path / "runs").items() if status == "done"} == {
        "fingerprint_data",
        "promote_model",
    }
    run("--seed", "2", "--set", "promotion.significance=1", "--set", "promotion.minimum_gain=-100",
        "--set", "promotion.maximum_class_loss=100")  # fmt: skip

    history = champion("history").splitlines()
    assert [line.split()[0] for line in history] == ["number", "2", "1"]
    shown = champion("show", "--number", "1")
    assert "there is no champion yet" in shown
    assert str(place / "demo-nw-ucla" / "contents") in shown
    assert champion("rollback", "--to", "1", "--reason", "it was better") == (
        "champion 3: the models of champion 1\n"
    )
    assert "rollback to 1" in champion("show")


def test_no_champion_is_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["champion", "show", "demo", "--champions", str(tmp_path)]

    assert exit_code_of(command) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: demo has no champion yet\n"
    assert exit_code_of(["champion", "history", "demo", "--champions", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no champion yet\n"


def test_a_champion_of_several_seeds_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "demo", "--raw", str(tmp_path), "--seeds", "1,2", "--champions", "c"]

    assert exit_code_of(command) == 2
    assert "--champions, not both" in capsys.readouterr().err
