from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from frhead_core.evaluation.scores import Scores
from pipeline.cli import exit_code_of


def write_scores(path: Path, seed: int, modality: str = "joint", count: int = 50) -> None:
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 5
    logits = generator.normal(size=(count, 5)).astype(np.float32)
    logits[np.arange(count), labels] += 1.5
    Scores(
        names=tuple(f"s{row}" for row in range(count)),
        logits=logits,
        labels=labels.astype(np.int64),
        parts=("test",) * count,
        seen_in_training=np.zeros(count, dtype=bool),
        metadata={"modality": modality, "which": path.stem, "benchmark": "demo"},
    ).save(path)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """``a`` and ``b``: results of runs; ``x`` and ``y``: of several seeds each."""
    for number, name in enumerate(("a", "b")):
        for place, model in enumerate(("ensemble", "bone", "joint")):
            file = tmp_path / name / "results" / "scores" / model / "last.npz"
            write_scores(file, 10 * number + place, model)
    for number, (name, seeds) in enumerate((("x", (1, 2, 3)), ("y", (2, 3, 4)))):
        for seed in seeds:
            file = tmp_path / name / f"seed-{seed}" / "scores" / "joint" / "last.npz"
            write_scores(file, 100 * number + seed)
    return tmp_path


def compared(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    assert exit_code_of(["compare", *map(str, arguments), "--json"]) == 0
    values: dict[str, object] = json.loads(capsys.readouterr().out)["comparisons"]
    return values


def test_results_of_runs_are_compared_modality_by_modality(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("b", "b/results"):
        found = compared(capsys, results / "a", results / place)
        assert list(found) == ["joint", "bone", "ensemble"]
    assert exit_code_of(["compare", str(results / "a"), str(results / "b")]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"A: {results / 'a'}\nB: {results / 'b'}\nlast epoch; test part")
    assert "ensemble, classes with gains or losses" in text


def test_two_models_are_compared_whatever_they_are_called(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = results / "a" / "results" / "scores"

    found = compared(capsys, scores / "joint" / "last.npz", scores / "bone")

    assert list(found) == ["joint | bone"]
    one_against_many = compared(capsys, scores / "bone", results / "b")
    assert list(one_against_many) == ["bone"]


def test_seeds_that_both_sides_have_are_paired(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = compared(capsys, results / "x", results / "y").values()

    assert [each["seed"] for each in found["outcomes"]] == [2, 3]  # type: ignore[index]
    assert found["over_seeds"]["smallest_p"] == 0.5  # type: ignore[index]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("a", "nowhere", "nowhere: does not exist"),
        ("a", ".", "holds no scores"),
        ("a", "other.npz", "is damaged, or not a score file"),
        ("a", "authors.pkl", "Give the --benchmark"),
        ("a", "small", "the models have different samples"),
        ("a/results/scores/bone", "x", "not trained with the same seeds"),
    ],
)
def test_what_cannot_be_compared_is_said(
    a: str, b: str, message: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "other.npz").write_bytes(b"PK\x03\x04")
    (results / "authors.pkl").write_bytes(b"\x80")
    write_scores(results / "small" / "scores" / "joint" / "last.npz", 1, count=40)

    assert exit_code_of(["compare", str(results / a), str(results / b)]) == 2

    assert message in capsys.readouterr().err


@pytest.mark.golden
def test_the_published_models_can_be_compared(
    golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = golden_folder / "ensemble" / "published_pickles"
    files = [folder / name / "epoch1_test_score.pkl" for name in ("joint", "bone_motion")]

    assert exit_code_of(["compare", *map(str, files), "--benchmark", "nw-ucla"]) == 0

    text = capsys.readouterr().out
    assert "94.40  89.44  -4.96" in text
    assert "chosen on the test set" in text
