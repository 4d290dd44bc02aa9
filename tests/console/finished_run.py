"""Fixtures: a run that was really run, once for all tests, and copies of it to spoil."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from starlette.testclient import TestClient

from frhead_core.config import load_recipe, override
from frhead_core.data.synthetic import write_nw_ucla
from frhead_core.evaluation.scores import Scores
from pipeline.console.app import create_app
from pipeline.console.settings import ConsoleSettings
from pipeline.local_run import LocalRun, run_locally

TINY = (
    "training.epochs=1",
    "model.base_channels=8",
    "loader.window=16",
    "loader.repeat=1",
    "training.batch_size=8",
)
MODALITIES = ("joint", "bone")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run: two modalities, 40 training and 20 test samples, 10 classes."""
    # The processes that share the tests also share the run.
    shared = tmp_path_factory.getbasetemp()
    shared = (shared.parent if shared.name.startswith("popen-") else shared) / "finished-run"
    with FileLock(f"{shared}.lock"):
        if not (shared / "done").exists():
            raw = write_nw_ucla(shared / "all_sqe.zip", seed=3, performers=2, replications=1)
            recipe = override(load_recipe("demo-nw-ucla"), TINY)
            run_locally(LocalRun(recipe, MODALITIES, raw, shared / "runs"))
            (shared / "done").touch()
    return next((shared / "runs").glob("*/run.json")).parent


@pytest.fixture
def copied_run(finished_run: Path, tmp_path: Path) -> Path:
    """The same run in a work directory of its own; its sequences are where they were."""
    folder = tmp_path / "runs" / finished_run.name
    shutil.copytree(finished_run, folder)
    return folder


@pytest.fixture
def telling_run(copied_run: Path) -> Path:
    """The same run with models that are often right, each about other samples."""
    for path in (copied_run / "results" / "scores").glob("*/*.npz"):
        if path.parent.name in MODALITIES:
            scores = Scores.load(path)
            random = np.random.default_rng(MODALITIES.index(path.parent.name))
            logits = random.normal(size=scores.logits.shape).astype(np.float32)
            logits[np.arange(len(scores)), scores.labels] += 1.5
            dataclasses.replace(scores, logits=logits).save(path)
    return copied_run


Record = Callable[[dict[str, Any]], None]


def change_record(run: Path, change: Record) -> None:
    """Change what ``run.json`` says."""
    path = run / "run.json"
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))


def asked(run: Path) -> TestClient:
    """A browser, as far as cookies and headers go, in front of a console that shows the run."""
    app = create_app(ConsoleSettings(work_directory=run.parent))
    return TestClient(app, base_url="http://localhost", follow_redirects=False)
