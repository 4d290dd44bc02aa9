"""Fixtures: a stand-in for a cluster behind the console, and a place with champions.

The cluster is :mod:`tests.kfp_stand_in`, which checks what it is asked by KFP's own definition and
runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from components.champion_place import champion_place
from components.champions import ChampionRecord, Champions
from pipeline.console.app import create_app
from pipeline.console.cluster import Cluster
from pipeline.console.settings import ConsoleSettings
from pipeline.kubeflow_api import Endpoint, KubeflowApi
from tests.console.conftest import MARKUP, record
from tests.kfp_stand_in import TOKEN, StandIn, serving

BENCHMARK = "nw-ucla"
SCHEDULES = """\
time_zone: Europe/Berlin
schedules:
  nightly:
    cron: "0 30 2 * * 1-5"
    benchmark: nw-ucla
    raw: [s3://data/all_sqe.zip]
    modalities: [joint]
    champions: s3://models/champions
"""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with serving(token=TOKEN, page=100) as state:
        yield state
        assert state.violations == []


@pytest.fixture
def cluster(stand_in: StandIn, tmp_path: Path) -> Cluster:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    endpoint = Endpoint(stand_in.url, token_file=file, seconds_between=0.01)
    return Cluster.of(KubeflowApi(endpoint), None, ZoneInfo("Europe/Berlin"))


@pytest.fixture
def champions(tmp_path: Path) -> Champions:
    """Two champions of a benchmark."""
    champions = Champions(champion_place(str(tmp_path / "champions")), BENCHMARK)
    add_champion(champions, tmp_path, 1, "promoted: there is no champion yet")
    add_champion(champions, tmp_path, 2, f"promoted over champion 1 {MARKUP}")
    return champions


def add_champion(champions: Champions, folder: Path, number: int, reason: str) -> None:
    file = folder / "weights"
    file.write_text(f"weights {number}")
    content, sums = champions.store({"models/joint/weights": file})
    check = {"name": "minimum_gain", "holds": True, "found": "+1.00", "required": "at least +0"}
    assert champions.add(
        ChampionRecord(
            number=number,
            benchmark=BENCHMARK,
            kind="promotion",
            reason=reason,
            run=f"2026010{number}-030405-{BENCHMARK}",
            created=f"2026-01-0{number}T04:05:06+00:00",
            mark=f"mark {number}",
            content=content,
            files=sums,
            recipe={},
            weights={"joint": 1.0},
            judged="scores/joint/last.npz",
            metrics={"top1": 90.0 + number, "samples": 100},
            decision={"checks": [check] if number > 1 else []},
        )
    )


def add_refusal(work_directory: Path, place: Path, name: str, **decision: object) -> None:
    """A run whose candidate was refused."""
    more = {"benchmark": BENCHMARK, "champions": str(place), "seconds": 60.0}
    folder = record(work_directory, name, "done", started="2026-01-03T03:04:05+0000", **more)
    (folder / "results").mkdir()
    values = {"promoted": False, "reason": f"refused {MARKUP}", "accuracy": 80.5, "samples": 100}
    (folder / "results" / "promotion.json").write_text(json.dumps(values | decision))


Operate = Callable[..., TestClient]


@pytest.fixture
def operate(
    work_directory: Path, cluster: Cluster, champions: Champions, tmp_path: Path
) -> Operate:
    """Makes a browser in front of a console that shows all of the above."""

    def make(**settings: Any) -> TestClient:
        given = {"cluster": cluster, "champions": str(tmp_path / "champions")} | settings
        app = create_app(ConsoleSettings(work_directory=work_directory, **given))
        return TestClient(app, base_url="http://localhost", follow_redirects=False)

    return make


def task(number: int, name: str, **more: Any) -> dict[str, Any]:
    """A task of a run, as KFP tells of it."""
    created = f"2026-01-01T00:00:0{number}Z"
    common = {"task_id": str(number), "create_time": created, "state": "SUCCEEDED"}
    return {**common, "display_name": name, **more}


def add_cluster_run(stand_in: StandIn, **values: Any) -> str:
    """A run with a step that is done, one that failed and one from the cache."""
    tasks = [
        task(1, "root", child_tasks=[{"task_id": "2"}]),
        task(2, "fingerprint-data", child_tasks=[{"task_id": "3"}],
             start_time="2026-01-01T00:00:03Z", end_time="2026-01-01T00:01:13Z"),
        task(3, "executor", pod_name="fingerprint-pod"),
        task(4, "train-modality", state="FAILED", error={"code": 1, "message": f"full {MARKUP}"}),
        task(5, "train-modality", state="SKIPPED"),
    ]  # fmt: skip
    common = {
        "display_name": f"nightly {MARKUP}",
        "state": "FAILED",
        "runtime_config": {"parameters": {"raw": "s3://data/a.zip"}},
        "run_details": {"task_details": tasks},
    }
    run_id = stand_in.add_run(**common | values)
    stand_in.logs[run_id, "fingerprint-pod"] = f"hashing ü {MARKUP}\ndone\n"
    return run_id
