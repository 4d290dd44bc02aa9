from __future__ import annotations

import json
from pathlib import Path

import pytest

from frhead_core.errors import FRHeadError
from pipeline.results import collect_results
from pipeline.run_folder import RunFolder, check_run_name, names_of_runs


def test_runs_that_start_together_get_different_folders(tmp_path: Path) -> None:
    folders = [RunFolder.create(tmp_path / "runs", "demo") for _ in range(3)]

    assert len({folder.path for folder in folders}) == 3
    assert {folder.cache for folder in folders} == {tmp_path / "runs" / "cache"}
    assert all(folder.name.split("-")[2] == "demo" for folder in folders)


def test_a_name_that_is_asked_for_is_given_once(tmp_path: Path) -> None:
    assert RunFolder.create(tmp_path, "demo", "mine").path == tmp_path / "mine"
    with pytest.raises(FRHeadError, match=r"--name: there is one of this name; found mine"):
        RunFolder.create(tmp_path, "demo", "mine")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".x", "-x", "a b", "cache", "é"])
def test_what_could_be_no_folder_of_its_own_is_no_name(name: str) -> None:
    with pytest.raises(FRHeadError, match="cannot be the name of a run"):
        check_run_name(name)


def test_a_name_made_of_a_benchmark_of_ones_own_is_a_name() -> None:
    first, second, *_ = names_of_runs("my/own: <benchmark>" * 20)
    assert first != second
    check_run_name(first)


def test_the_record_is_replaced_whole(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "demo")
    folder.record({"status": "running"})
    folder.record({"status": "done"})

    assert json.loads((folder.path / "run.json").read_text()) == {"status": "done"}
    assert [file.name for file in folder.path.iterdir()] == ["run.json"]


def test_a_work_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FRHeadError, match=r"file/runs: cannot be written .*--work-directory"):
        RunFolder.create(tmp_path / "file" / "runs", "demo")


class Outcome:
    def __init__(self, **outputs: Path) -> None:
        self.outputs = {name: str(path) for name, path in outputs.items()}


@pytest.fixture
def outcomes(tmp_path: Path) -> dict[str, Outcome]:
    made = tmp_path / "artifacts"
    for name in ("model", "scores", "ensemble"):
        (made / name).mkdir(parents=True)
        (made / name / "file").write_text(name)
    (made / "ensemble" / "accuracies.txt").write_text("table")
    (made / "report").write_text("page")
    return {
        "fingerprint_data": Outcome(Output=Path("abc")),
        "denoise_skeletons": Outcome(denoised=made / "scores", report=made / "report"),
        "train_modality-joint_motion": Outcome(model=made / "model", metrics=made / "report"),
        "evaluate_modality-joint_motion": Outcome(scores=made / "scores"),
        "ensemble_modalities": Outcome(ensemble=made / "ensemble", report=made / "report"),
    }


def test_results_are_gathered_and_replace_older_ones(
    outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    output = tmp_path / "results"
    for folder in ("models/joint_motion", "scores/joint_motion"):
        (output / folder).mkdir(parents=True)
    for old in ("metadata.json", "recipe.yaml", "old"):
        (output / "models" / "joint_motion" / old).write_text("")
    (output / "scores" / "joint_motion" / "validation_last.npz").write_text("")

    collect_results(outcomes, output)

    files = {str(file.relative_to(output)) for file in output.rglob("*") if file.is_file()}
    assert files == {
        "report.html",
        "accuracies.txt",
        "preparation/denoise_skeletons.md",
        "models/joint_motion/file",
        "scores/joint_motion/file",
        "scores/ensemble/file",
        "scores/ensemble/accuracies.txt",
    }


def test_the_decision_is_among_the_results_of_its_run_alone(
    outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    (decision := tmp_path / "decision").write_text("{}")
    promotion = {"promote_model": Outcome(decision=decision, report=tmp_path / "artifacts/report")}
    names = ("promotion.json", "promotion.html")

    results = collect_results(outcomes | promotion, tmp_path / "results")
    assert [(results / name).read_text() for name in names] == ["{}", "page"]

    stale = tmp_path / "other"
    stale.mkdir()
    for name in names:
        (stale / name).write_text("of an earlier run")
    collect_results(outcomes, stale)
    assert not any((stale / name).exists() for name in names)


@pytest.mark.parametrize("folder", ["models/joint_motion", "scores/ensemble"])
def test_what_no_run_has_made_is_not_replaced(
    outcomes: dict[str, Outcome], folder: str, tmp_path: Path
) -> None:
    mine = tmp_path / "results" / folder / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")

    with pytest.raises(FRHeadError, match=f"{folder}: exists and holds something else"):
        collect_results(outcomes, tmp_path / "results")

    assert mine.read_text() == "years of work"


def test_results_that_cannot_be_written_are_an_error_for_the_user(
    outcomes: dict[str, Outcome], tmp_path: Path
) -> None:
    (tmp_path / "results").write_text("a file")

    with pytest.raises(FRHeadError, match="results cannot be written"):
        collect_results(outcomes, tmp_path / "results")
