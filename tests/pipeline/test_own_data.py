"""The tutorial on own data, run as it stands in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from frhead_core.data.store import SequenceStore
from frhead_core.evaluation.scores import Scores
from frhead_core.inference.onnx_export import onnx_metadata
from frhead_core.skeletons import skeleton
from frhead_core.training.artifact import ModelArtifact

PAGE = Path(__file__).parents[2] / "docs/own-data.md"
FILES = re.compile(r"^`([\w.-]+)`\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = dict(FILES.findall(page))
    assert files.keys() == {"stick-figure.yaml", "make_recordings.py", "gestures.yaml"}
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    (commands,) = COMMANDS.findall(page)

    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": programs, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    predicted = done.stdout.partition("report: ")[2]
    assert all(action in predicted for action in ("nod", "walk", "wave")), predicted

    results = tmp_path / "results"
    assert "nod" in (results / "report.html").read_text(encoding="utf-8")
    scores = Scores.load(results / "scores/joint/last.npz")
    tested = {f"{action}-{n}" for action in ("nod", "wave", "walk") for n in (6, 7)}
    assert set(scores.names) == tested
    assert scores.class_names == ("nod", "walk", "wave")
    assert [scores.class_names[label] for label in scores.labels] == [
        name.partition("-")[0] for name in scores.names
    ]

    (tmp_path / "stick-figure.yaml").unlink()
    model = ModelArtifact.open(results / "models/joint")
    layout = skeleton(model.recipe.skeleton)
    assert layout.name == model.metadata["skeleton"] == "stick-figure"
    assert onnx_metadata(model)["skeleton"] == "stick-figure"
    card = (model.directory / "README.md").read_text(encoding="utf-8")
    assert (
        "Recognises 3 actions in sequences of 3D skeletons (joint layout `stick-figure`)." in card
    )
    assert model.load().backbone.input_normalisation.normalisation.num_features == 7 * 3
    (store,) = tmp_path.glob("runs/artifacts/**/sequences/metadata.json")
    assert SequenceStore.open(store.parent).layout == layout
