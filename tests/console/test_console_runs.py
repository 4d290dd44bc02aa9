"""Consoles as users start them, and runs that they start: real programs, killed at bad moments."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from components import lifeline
from frhead_core.data.synthetic import write_nw_ucla
from tests.console.finished_run import TINY

pytestmark = pytest.mark.slow
SECONDS = 300


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nw_ucla(
        tmp_path_factory.mktemp("raw") / "raw.zip", seed=3, performers=2, replications=1
    )


class Console:
    """The program ``frhead console`` and a client of its REST API."""

    def __init__(self, work_directory: Path, *more: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        where = ("--work-directory", str(work_directory), "--port", str(port))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "console", *where, *more]
        )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        self.until(self._answers)

    def _answers(self) -> bool:
        try:
            return self._client.get("/healthz").is_success
        except httpx.TransportError:
            assert self.process.poll() is None, "the console ended"
            return False

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.1)

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1{path}").json()

    def post(self, path: str, asked: object = None) -> Any:
        answer = self._client.post(f"/api/v1{path}", json=asked)
        assert answer.is_success, answer.text
        return answer.json()

    def ends(self, name: str) -> str:
        """How the run of this name ends."""
        self.until(lambda: self.get(f"/queue/{name}")["ended"] is not None)
        return str(self.get(f"/queue/{name}")["state"])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


Start = Callable[..., Console]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts consoles over one work directory; at the end they and their runs are gone."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    consoles: list[Console] = []
    work_directory = tmp_path / "runs"

    def begin(*more: str) -> Console:
        consoles.append(Console(work_directory, *more))
        return consoles[-1]

    yield begin
    for console in consoles:
        console.kill()
    for record in work_directory.glob("*/run.json"):
        process = lifeline.holder(record.parent)
        if process is not None:
            os.kill(process, signal.SIGKILL)


def asked(raw: Path, **more: object) -> dict[str, object]:
    settings = [*TINY, *more.pop("settings", ())]
    run = {"benchmark": "demo-nw-ucla", "raw": [str(raw)], "modalities": ["joint"]}
    return {**run, "settings": settings, "threads": 1, **more}


def record_of(tmp_path: Path, name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((tmp_path / "runs" / name / "run.json").read_text())
    return record


def test_a_console_that_is_killed_loses_nothing(start, raw, tmp_path):
    console = start()
    names = [console.post("/runs", asked(raw, seed=seed))["name"] for seed in (1, 2)]
    run = tmp_path / "runs" / names[0]
    console.until((run / "steps" / "extract_raw_skeletons").exists)
    console.kill()
    process = lifeline.holder(run)
    assert process is not None, "the run ended with the console"

    again = start()
    assert again.get(f"/queue/{names[0]}")["state"] == "running"
    assert again.get(f"/queue/{names[1]}")["state"] == "queued"
    assert [again.ends(name) for name in names] == ["done", "done"]
    assert lifeline.holder(run) is None
    first, second = (again.get(f"/queue/{name}") for name in names)
    assert first["ended"] <= second["started"]
    for name in names:
        assert record_of(tmp_path, name)["status"] == "done"
        assert record_of(tmp_path, name)["started_by"] == "the console"
        assert (tmp_path / "runs" / name / "results" / "report.html").is_file()
    # The second run was given what the first one had prepared.
    steps = {step["name"]: step["status"] for step in record_of(tmp_path, names[1])["steps"]}
    assert steps["extract_raw_skeletons"] == "cached"
    assert steps["train_modality-joint"] == "done"


def test_a_run_that_is_killed_failed_and_goes_on_when_it_is_tried_again(start, raw, tmp_path):
    console = start()
    name = console.post("/runs", asked(raw))["name"]
    run = tmp_path / "runs" / name
    console.until((run / "steps" / "train_modality-joint" / "events.jsonl").exists)
    process = lifeline.holder(run)
    assert process is not None
    os.kill(process, signal.SIGKILL)
    assert console.ends(name) == "failed"
    assert f"run {name} in" in console.get(f"/queue/{name}/output")["text"]
    assert console.get(f"/runs/{name}")["state"] == "lost"
    again = console.post(f"/runs/{name}/retry")
    assert again["again"] == name
    assert console.ends(again["name"]) == "done"
    steps = {step["name"]: step["status"] for step in record_of(tmp_path, again["name"])["steps"]}
    assert steps["transform_sequences"] == "cached"


def test_a_run_that_is_stopped_before_its_first_step_is_stopped(start, raw):
    console = start()
    name = console.post("/runs", asked(raw))["name"]
    console.until(lambda: console.get(f"/queue/{name}")["state"] == "running")
    console.post(f"/queue/{name}/stop")
    assert console.ends(name) == "stopped"
