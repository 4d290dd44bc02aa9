"""The one-shot benchmark from raw files to the report, and its results by the single commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.data.store import SequenceStore
from frhead_core.data.synthetic_ntu import write_ntu
from frhead_core.evaluation.scores import Scores
from frhead_core.training.artifact import ModelArtifact
from pipeline.cli import cli
from pipeline.local_run import LocalRun, run_locally

SETTINGS = (
    "preparation.official_list=false",
    "training.epochs=1",
    "training.batch_size=4",
    "model.base_channels=8",
    "loader.window=16",
)
NOVEL = range(1, 116, 6)
AUXILIARY = (2, 62)


@pytest.mark.slow
def test_from_raw_files_to_the_report(tmp_path: Path) -> None:
    # Of each novel class the anchor and one more recording, and four to train on.
    raw = write_ntu(
        tmp_path / "both.zip",
        setups=(1, 18),
        cameras=(2, 3),
        performers=(8,),
        actions=(*NOVEL, *AUXILIARY),
    )
    recipe = override(load_recipe("ntu120-oneshot"), SETTINGS)
    run_locally(LocalRun(recipe, ["joint", "bone"], raw, tmp_path / "runs", threads=1))

    run = next((tmp_path / "runs").glob("*/run.json")).parent
    check_scores(run, recipe)
    check_report(run)
    check_single_commands(run, tmp_path)


def store_of(run: Path) -> Path:
    steps = json.loads((run / "run.json").read_text())["steps"]
    return Path(
        next(s["outputs"]["sequences"] for s in steps if s["name"] == "transform_sequences")
    )


def check_scores(run: Path, recipe: Recipe) -> None:
    store = SequenceStore.open(store_of(run))
    assert len(store) == 44
    assert len(store.rows("ntu120-oneshot", "anchor")) == 20
    model = ModelArtifact.open(run / "results/models/joint")
    trained = {name[-4:] for name in model.training_samples() or ()}
    assert trained == {f"A{action:03}" for action in AUXILIARY}
    assert model.load().backbone.classifier.out_features == 100  # type: ignore[union-attr]

    scores = {n: Scores.load(run / f"results/scores/{n}/last.npz") for n in ("joint", "bone")}
    for each in scores.values():
        assert {int(name[-3:]) for name in each.names} == set(NOVEL)
        assert not set(each.names) & set(recipe.split.anchors)
        assert each.logits.shape == (20, 20)
        assert np.abs(each.logits).max() <= 1
        actual = [each.class_names[label] for label in each.labels]
        assert actual == [store.metadata.classes[int(name[-3:]) - 1] for name in each.names]
    ensemble = Scores.load(run / "results/scores/ensemble/last.npz")
    total = scores["joint"].logits + scores["bone"].logits
    np.testing.assert_array_equal(ensemble.logits, total)


def check_report(run: Path) -> None:
    page = BeautifulSoup((run / "results/report.html").read_text(), "html.parser")
    text = " ".join(page.get_text(" ").split())
    assert "There is no published figure to compare with." in text
    assert "One-shot recognition: the classes of the test set were not trained on." in text
    matrix = page.select_one("table.matrix")
    assert matrix is not None and len(matrix.select("tbody tr")) == 20
    accuracies = (run / "results/accuracies.txt").read_text()
    assert "there is no published figure to compare with" in accuracies


def check_single_commands(run: Path, folder: Path) -> None:
    own = folder / "scores"
    options = []
    for name in ("joint", "bone"):
        arguments = ["evaluate", "--model", str(run / f"results/models/{name}"),
                     "--data", str(store_of(run)), "--output", str(own / name)]  # fmt: skip
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        same = Scores.load(run / f"results/scores/{name}/last.npz").logits
        np.testing.assert_allclose(Scores.load(own / name / "last.npz").logits, same, atol=1e-6)
        options.append(f"{name}={own / name / 'last.npz'}")

    combined = folder / "ensemble.npz"
    result = CliRunner().invoke(
        cli,
        ["ensemble", "--benchmark", "ntu120-oneshot", "--scores", *options,
         "--output", str(combined)],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert Scores.load(combined).logits.shape == (20, 20)

    models = [f"{name}={run / 'results/models' / name}" for name in ("joint", "bone")]
    folders = [f"{name}={own / name}" for name in ("joint", "bone")]
    result = CliRunner().invoke(
        cli,
        ["report", "ntu120-oneshot", "--models", *models, "--scores", *folders,
         "--output", str(folder / "report.html")],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "no published figure" in (folder / "report.html").read_text()
