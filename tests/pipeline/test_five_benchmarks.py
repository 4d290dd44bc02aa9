"""One epoch of each of the five benchmarks through the pipeline, from synthetic raw files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.data.store import SequenceStore
from frhead_core.data.synthetic import write_nw_ucla
from frhead_core.data.synthetic_ntu import write_ntu
from frhead_core.evaluation.scores import Scores
from pipeline.local_run import LocalRun, run_locally
from pipeline.raw_data import joined

TINY = (
    "preparation.official_list=false",
    "training.epochs=1",
    "training.batch_size=4",
    "model.base_channels=8",
    "loader.window=16",
    "loader.repeat=1",
)
WITHIN_NTU120 = {"ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset"}
FEW = {"cameras": (1, 2), "performers": (1, 3)}


@pytest.fixture(scope="module")
def first_half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 recordings of NTU RGB+D 60; 8 of them train, whatever the split."""
    output = tmp_path_factory.mktemp("first") / "s001_to_s017.zip"
    return write_ntu(output, setups=(1, 2), actions=(5, 50), **FEW)


@pytest.fixture(scope="module")
def second_half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 recordings of the setups that NTU RGB+D 120 adds, as a directory."""
    output = tmp_path_factory.mktemp("second") / "s018_to_s032"
    return write_ntu(output, setups=(18, 19), actions=(62, 106), **FEW)


def results_of(recipe: Recipe, raw: Path, folder: Path) -> tuple[SequenceStore, Scores]:
    """Run the pipeline on one modality: the store, and the scores of the last epoch."""
    results = run_locally(LocalRun(recipe, ["joint"], raw, folder / "runs", threads=1))
    assert (results / "report.html").exists()
    record = json.loads(next((folder / "runs").glob("*/run.json")).read_text())
    steps = {step["name"]: step for step in record["steps"]}
    assert all(step["status"] == "done" for step in steps.values())
    store = SequenceStore.open(Path(steps["transform_sequences"]["outputs"]["sequences"]))
    return store, Scores.load(results / "scores" / "joint" / "last.npz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("benchmark", "halves", "benchmarks", "samples"),
    [
        ("ntu60-xsub", 1, {"ntu60-xsub", "ntu60-xview"}, 16),
        ("ntu60-xview", 1, {"ntu60-xsub", "ntu60-xview"}, 16),
        ("ntu120-xsub", 2, WITHIN_NTU120 | {"ntu120-oneshot"}, 32),
        ("ntu120-xset", 2, WITHIN_NTU120 | {"ntu120-oneshot"}, 32),
    ],
)
def test_an_epoch_of_ntu(
    benchmark: str,
    halves: int,
    benchmarks: set[str],
    samples: int,
    first_half: Path,
    second_half: Path,
    tmp_path: Path,
) -> None:
    recipe = override(load_recipe(benchmark), TINY)

    store, scores = results_of(recipe, joined([first_half, second_half][:halves]), tmp_path)

    columns = {name.removeprefix("part:") for name in store.index if name.startswith("part:")}
    assert columns == benchmarks
    assert len(store) == samples
    for name in benchmarks - {"ntu120-oneshot"}:
        taken = 16 if name.startswith("ntu60") else samples
        assert len(store.rows(name, "train")) == len(store.rows(name, "test")) == taken / 2
    tested = store.index["name"].to_numpy()[store.rows(benchmark, "test")]
    assert sorted(scores.names) == sorted(tested)
    assert scores.logits.shape == (samples / 2, recipe.classes)


@pytest.mark.slow
def test_an_epoch_of_nw_ucla(tmp_path: Path) -> None:
    raw = write_nw_ucla(tmp_path / "all_sqe.zip", performers=1, replications=1, actions=4)

    store, scores = results_of(override(load_recipe("nw-ucla"), TINY), raw, tmp_path)

    assert len(store) == 12
    assert scores.logits.shape == (4, 10)
