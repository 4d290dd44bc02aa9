"""Fixtures: a work directory with recorded runs, and the console over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from starlette.testclient import TestClient

from components import lifeline
from components.events import FILE_NAME, EventFile
from pipeline.console.app import create_app
from pipeline.console.settings import ConsoleSettings
from tests.console.browser import chromium, open_page, serve
from tests.console.finished_run import copied_run, finished_run, telling_run

__all__ = ["chromium", "copied_run", "finished_run", "open_page", "serve", "telling_run"]
TOKEN = "a-token-of-some-length"
FAILED = "20260102-030405-demo"
RUNNING = "20260103-030405-demo"
MARKUP = "<script>alert(1)</script>{{ 7 * 7 }}"


def record(work_directory: Path, name: str, status: str, **more: object) -> Path:
    folder = work_directory / name
    folder.mkdir(parents=True)
    facts = {
        "benchmark": "demo",
        "started": "2026-01-02T03:04:05+0000",
        "raw": "raw.zip",
        "modalities": ["joint", "bone"],
        "status": status,
    }
    (folder / "run.json").write_text(json.dumps(facts | more))
    return folder


def write_step(folder: Path, name: str, log: str, *events: tuple[str, dict[str, object]]) -> None:
    step = folder / "steps" / name
    step.mkdir(parents=True)
    (step / "log.txt").write_text(log, encoding="utf-8")
    for event, fields in (("started", {}), *events):
        EventFile(step / FILE_NAME).write(event, **fields)


@pytest.fixture
def work_directory(tmp_path: Path) -> Iterator[Path]:
    """A run that failed, with markup wherever a name or text can have it, and one that goes on."""
    folder = tmp_path / "runs"
    error = f"bad file: {MARKUP}"
    failed = record(
        folder,
        FAILED,
        "failed",
        seconds=61.5,
        raw=MARKUP,
        benchmark=MARKUP,
        steps=[{"name": "extract_raw_skeletons", "status": "failed", "error": error}],
    )
    events = ("error", {"text": error, "expected": True})
    write_step(failed, "extract_raw_skeletons", f"über {MARKUP}\n", events)
    running = record(folder, RUNNING, "running")
    progress = {"task": "epoch", "done": 1, "total": 4, "unit": "batches", "rate": 2.0}
    more = {"seconds_left": 3.0, "figures": {}}
    write_step(running, "train_modality-joint", "epoch 1\n", ("progress", progress | more))
    with lifeline.held(running):
        yield folder


Client = Callable[..., TestClient]


@pytest.fixture
def client(work_directory: Path) -> Client:
    """Makes a browser, as far as cookies and headers go, in front of a console."""

    def make(**settings: object) -> TestClient:
        app = create_app(ConsoleSettings(work_directory=work_directory, **settings))
        return TestClient(app, base_url="http://localhost", follow_redirects=False)

    return make


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def csrf_of(text: str) -> str:
    return str(soup_of(text).select_one("input[name=csrf]")["value"])
