"""The console's list of 2,000 runs: records kept while they stay as they are, or all read anew."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks.measure import ROUNDS, Comparison
from frhead_core.config import MODALITIES, Recipe, load_recipe, recipe_to_json
from pipeline.console.app import create_app
from pipeline.console.settings import ConsoleSettings
from pipeline.local_runs import LocalRuns
from pipeline.run_engine import RunRecord
from pipeline.run_folder import RunFolder

RUNS = 2000
BENCHMARKS = ("nw-ucla", "ntu60-xsub", "ntu120-xset")
ADDRESSES = {
    "the newest": "/",
    "the last page": "/?page=40",
    "of one benchmark, by accuracy": "/?benchmark=ntu60-xsub&sort=ensemble",
    "with a word": "/?text=archive-7",
    "all, for programs": f"/api/v1/runs?per_page={RUNS}",
}
_MILLISECONDS = 1000.0


def measure() -> Iterator[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        work_directory = Path(folder)
        write_runs(work_directory, RUNS)
        plain, ours = (browser(work_directory, runs) for runs in (PlainRuns, LocalRuns))
        for what, address in ADDRESSES.items():
            yield Comparison(
                f"list of {RUNS:,} runs, {what}", "ms", *fastest(address, plain, ours), "less"
            )


class PlainRuns(LocalRuns):
    """Reads all records for every answer, as a console does for its first one."""

    def all_runs(self) -> list[RunRecord]:
        return LocalRuns(self.work_directory).all_runs()


def browser(work_directory: Path, runs: type[LocalRuns]) -> TestClient:
    app = create_app(ConsoleSettings(work_directory=work_directory))
    app.state.runs = runs(work_directory)
    return TestClient(app, base_url="http://localhost")


def fastest(address: str, plain: TestClient, ours: TestClient) -> tuple[float, float]:
    """Milliseconds to the whole answer of both, which take turns, the best of several rounds."""
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(ROUNDS + 1):
        texts = set()
        for name, client in (("plain", plain), ("ours", ours)):
            start = time.perf_counter()
            answer = client.get(address)
            seconds[name].append(time.perf_counter() - start)
            texts.add(answer.raise_for_status().text)
        assert len(texts) == 1, "the two answer differently"
    best = {name: _MILLISECONDS * min(times[1:]) for name, times in seconds.items()}
    return best["plain"], best["ours"]


def write_runs(work_directory: Path, count: int) -> None:
    """Records of finished and failed runs as a real run leaves them, with invented accuracies."""
    recipes = [load_recipe(name) for name in BENCHMARKS]
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        chance = random.Random(number)  # the same runs each time
        recipe = recipes[number % len(recipes)]
        started = begin + timedelta(hours=number)
        folder = RunFolder(work_directory / f"{started:%Y%m%d-%H%M%S}-{recipe.name}")
        folder.path.mkdir(parents=True)
        folder.record(_facts(recipe, started, number, chance))


def _facts(recipe: Recipe, started: datetime, number: int, chance: random.Random) -> dict[str, Any]:
    failed = number % 17 == 0
    steps = [
        {
            "name": f"{step}-{modality}",
            "status": "failed" if failed and modality == MODALITIES[-1] else "done",
            "seconds": 60.0,
            "outputs": {"artifact": f"artifacts/run-{number}/{step}-{modality}/artifact"},
            "exit_code": 0,
            "error": "it ran out of memory" if failed and modality == MODALITIES[-1] else None,
            "expected": False,
        }
        for step in ("train_modality", "evaluate_modality")
        for modality in MODALITIES
    ]
    return {
        "benchmark": recipe.name,
        "started_by": ("researcher", "operator", "schedule nightly")[number % 3],
        "started": f"{started:%Y-%m-%dT%H:%M:%S%z}",
        "raw": f"archive-{number % 10}.zip",
        "champions": "",
        "modalities": list(MODALITIES),
        "given": {},
        "recipe": recipe_to_json(recipe),
        "how": {"output": None, "processes": 1},
        "status": "failed" if failed else "done",
        "seconds": chance.uniform(600, 90_000),
        "accuracies": {} if failed else _accuracies(recipe, chance),
        "steps": steps,
    }


def _accuracies(recipe: Recipe, chance: random.Random) -> dict[str, Any]:
    assert recipe.published is not None
    accuracies = {}
    for name in (*MODALITIES, "ensemble"):
        published = float(getattr(recipe.published, name))
        best = published + chance.gauss(-0.4, 0.6)
        accuracies[name] = {
            "last": best - abs(chance.gauss(0, 0.3)),
            "best": best,
            "best_on": "best_on_test",
            "published": published,
        }
    return accuracies
