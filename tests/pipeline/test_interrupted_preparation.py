"""``kill -9`` in the middle of each preparation step, and the same command again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frhead_core.config import load_recipe, override
from frhead_core.data.synthetic_ntu import write_ntu
from frhead_core.progress import Reporter
from pipeline import preparing
from pipeline.preparing import prepare

STEPS = {
    "extract_raw_skeletons": "tracked bodies",
    "denoise_skeletons": "denoised sequences",
    "transform_sequences": "sequence store",
}
COPIES = 300


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 3,600 recordings, most of them other names of the same files."""
    folder = tmp_path_factory.mktemp("raw") / "many"
    write_ntu(folder, setups=(1,), cameras=(1, 2), performers=(1, 2, 3), actions=(5, 50))
    for file in list(folder.rglob("*.skeleton")):
        for number in range(2, COPIES + 1):
            action = file.stem[-4:]
            copy = file.with_stem(f"{file.stem[:-8]}R{number:03}{action}")
            os.link(file, copy)
    return folder


@pytest.fixture(scope="module")
def undisturbed(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed")
    prepare(load_recipe("demo"), raw, output, Reporter())
    return contents(output / "sequences")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.communicate()[1]}"
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


def entries_of(step: str, checkpoints: Path) -> int:
    """How many stretches of work the journal of an unfinished step has."""
    for journal in checkpoints.glob("prepare-*/journal.jsonl"):
        first, *entries = journal.read_text().splitlines() or ["{}"]
        if first != "{}" and json.loads(first)["identity"]["step"]["kind"] == STEPS[step]:
            return len(entries)
    return 0


def first_progress(step: str, runs: Path) -> Iterator[int]:
    """For each time that a step ran, how much had been done before."""
    for file in runs.glob(f"*/steps/{step}/events.jsonl"):
        events = map(json.loads, file.read_text().splitlines())
        yield next((event["done"] for event in events if event["event"] == "progress"), 0)


def newest_events(step: str, runs: Path) -> list[dict]:
    files = sorted(runs.glob(f"*/steps/{step}/events.jsonl"), key=lambda path: path.stat().st_mtime)
    return [json.loads(line) for line in files[-1].read_text().splitlines()] if files else []


@pytest.fixture
def start(raw: Path, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    processes = []

    def run() -> subprocess.Popen[str]:
        program = "from pipeline.cli import main; main()"
        command = ["run", "demo", "--raw", str(raw), "--work-directory", str(tmp_path / "runs")]
        process = subprocess.Popen(
            [sys.executable, "-c", program, *command, "--modalities", "joint"],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_run_killed_in_each_step_ends_with_the_same_bytes(
    start: Callable[[], subprocess.Popen[str]], undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for step in STEPS:
        process = start()
        wait_for(lambda s=step: entries_of(s, runs / "checkpoints") > 0, process, step)
        process.kill()
        process.wait()
        time.sleep(1)  # the step ends itself
        assert entries_of(step, runs / "checkpoints") > 0
        assert not any("finished" in event.values() for event in newest_events(step, runs))

    process = start()
    wait_for(lambda: bool(newest_events("train_modality-joint", runs)), process, "training")
    process.kill()

    for step in STEPS:
        assert max(first_progress(step, runs)) >= 256
    outputs = [path for path in runs.rglob("index.csv") if "part:demo" in path.read_text()]
    (store,) = {path.parent for path in outputs if path.parent.name == "sequences"}
    assert contents(store) == undisturbed


class KilledError(Exception):
    """Stands for the end of the process."""


class KillingReporter(Reporter):
    """Ends a step in its middle."""

    def __init__(self, task: str | None) -> None:
        self.task = task
        self.begun: dict[str, int] = {}
        self.messages: list[str] = []

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self.done = done
        if task != "fingerprinting":  # which is done every time
            self.begun[task] = done

    def advance(self, amount: int = 1, **figures: float) -> None:
        self.done += amount
        if self.task in self.begun and self.done >= 700:
            raise KilledError

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.mark.slow
def test_preparing_without_a_pipeline_goes_on_too(
    raw: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    recipe = load_recipe("demo")
    tasks = ("reading recordings", "denoising", "centring")
    for task in tasks:
        with pytest.raises(KilledError):
            prepare(recipe, raw, tmp_path, KillingReporter(task))
    last = KillingReporter(None)

    prepare(recipe, raw, tmp_path, last)

    assert last.messages == ["raw_bodies: complete", "denoised: complete"]
    assert last.begun == {"centring": 512}
    assert contents(tmp_path / "sequences") == undisturbed


def test_what_was_prepared_otherwise_is_prepared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("demo")
    raw = write_ntu(tmp_path / "raw.zip", setups=(1,), cameras=(1,), actions=(5,))

    def steps_repeated(**changes: list[int]) -> set[str]:
        reporter = KillingReporter(None)
        prepare(override(recipe, changes), raw, tmp_path, reporter)
        return set(reporter.begun)

    assert steps_repeated() == {"reading recordings", "denoising", "centring"}
    assert steps_repeated() == set()
    other_split = {"split.test": [1], "split.train": [2, 3]}
    assert steps_repeated(**other_split) == {"centring"}
    versions = preparing.code_version
    monkeypatch.setattr(preparing, "code_version", lambda step: versions(step) + step[0])
    assert steps_repeated() == {"reading recordings", "denoising", "centring"}
    (tmp_path / "denoised" / "metadata.json").unlink()
    (tmp_path / "denoised").rename(tmp_path / "elsewhere")
    assert steps_repeated() == {"denoising"}
