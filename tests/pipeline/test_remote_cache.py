"""Runs in several work directories, as on several machines, with one pipeline root.

Not ``from __future__ import annotations``: kfp reads the annotations as objects.
"""

# ruff: noqa: PLC0415

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from kfp import dsl
from kfp.dsl import Dataset, Output

from components.object_storage.client import ObjectStore
from components.object_storage.location import Location
from pipeline.local_engine import LocalEngine
from pipeline.pipeline_root import PipelineRoot
from pipeline.run_folder import RunFolder
from pipeline.step_processes import StepProcesses
from tests.pipeline.test_local_engine import events, result, statuses, step_folder, tiny
from tests.s3_fixtures import QUICK, SECRET_KEY
from tests.s3_proxy import FaultyProxy

pytestmark = pytest.mark.s3

Run = Callable[..., LocalEngine]
WORK = ("work-joint", "work-bone")
ALL_CACHED = dict.fromkeys([*WORK, "gather"], "cached") | {"look": "done"}
ALL_DONE = dict.fromkeys(ALL_CACHED, "done")


@pytest.fixture
def run(tmp_path: Path, bucket: Location) -> Run:
    def start(machine: str, variable: str = "1", *, with_root: bool = True) -> LocalEngine:
        folder = RunFolder.create(tmp_path / machine, "tiny")
        root = PipelineRoot(bucket / "root", ObjectStore(patience=QUICK)) if with_root else None
        engine = LocalEngine(folder, StepProcesses(folder.path, {"VARIABLE": variable}), root)
        items = [{"modality": modality} for modality in ("joint", "bone")]
        engine.run(tiny(parallelism=2), {"text": "text", "items": items})
        return engine

    return start


@dsl.component(base_image="image", install_kfp_package=False)
def grow(made: Output[Dataset]):
    from pathlib import Path

    from components.runtime import step

    with step():
        Path(made.path).write_bytes(bytes(40_000_000))


@dsl.pipeline(name="large")
def large():
    grow()


def stored(store: ObjectStore, bucket: Location, kind: str) -> list[Location]:
    return [facts.location for facts in store.objects(bucket / f"root/{kind}")]


def test_another_machine_makes_nothing_again(run: Run, tmp_path: Path) -> None:
    first = run("first")
    assert statuses(first) == ALL_DONE
    shutil.rmtree(tmp_path / "first" / "artifacts")

    second = run("second", variable="2")

    assert statuses(second) == ALL_CACHED
    assert result(second) == result(first) == "joint text 1 + bone text 1"
    assert first.not_stored is second.not_stored is None
    log = (step_folder(second, "work-bone") / "log.txt").read_text()
    assert "fetched from s3://" in log
    assert "nothing to do" in log
    assert statuses(run("second")) == ALL_CACHED


def test_what_was_made_before_is_sent_by_a_run_that_makes_nothing(run: Run) -> None:
    run("first", with_root=False)
    assert statuses(run("first")) == ALL_CACHED

    assert statuses(run("second")) == ALL_CACHED


def test_a_step_that_could_not_be_sent_is_sent_by_the_next_run(
    run: Run, proxy: FaultyProxy, bucket: Location, store: ObjectStore
) -> None:
    proxy.plan("status", "PUT", "/steps/", times=1000)
    first = run("first")
    assert statuses(first) == ALL_DONE
    assert result(first) == "joint text 1 + bone text 1"
    assert "object storage is out of order" in str(first.not_stored)
    assert stored(store, bucket, "steps") == []
    proxy.faults.clear()
    assert statuses(run("second", variable="2")) == ALL_DONE  # nothing of it was taken for whole

    again = run("first")

    assert statuses(again) == ALL_CACHED
    assert again.not_stored is None
    assert result(again) == "joint text 1 + bone text 1"


def test_a_root_that_fails_is_asked_once_and_the_run_goes_on(run: Run, proxy: FaultyProxy) -> None:
    proxy.plan("status", times=1000)

    engine = run("first")

    assert statuses(engine) == ALL_DONE
    assert engine.not_stored is not None
    assert len(proxy.requests) <= 2 * (QUICK.attempts + 1)  # of the two steps that run at once
    told = [
        event["text"]
        for name in WORK
        for event in events(engine, name)
        if event["event"] == "message" and "going on without" in event["text"]
    ]
    assert told
    assert all("out of order" in text for text in told)


def test_a_damaged_file_is_told_and_only_what_it_belongs_to_is_made_anew(
    run: Run, bucket: Location, store: ObjectStore
) -> None:
    first = run("first")
    made = Path(first.outcomes["work-bone"].outputs["made"]).read_bytes()
    (damaged,) = [each for each in stored(store, bucket, "files") if store.read(each) == made]
    store.put(damaged, b"damaged", damaged.name)

    second = run("second")

    assert statuses(second) == ALL_CACHED | {"work-bone": "done"}
    messages = [each["text"] for each in events(second, "work-bone") if each["event"] == "message"]
    told = [text for text in messages if "damaged" in text]
    assert told == [f"{damaged}: is damaged; what it belongs to is made anew"]
    assert second.not_stored is None
    assert store.read(damaged) == made
    assert statuses(run("third")) == ALL_CACHED


def test_an_artifact_made_again_without_the_root_is_described_again(run: Run) -> None:
    first = run("first")
    Path(first.outcomes["work-bone"].outputs["made"]).unlink()
    assert statuses(run("first", variable="2", with_root=False))["work-bone"] == "done"

    again = run("first", variable="2")

    assert statuses(again) == ALL_CACHED
    assert result(again) == "joint text 1 + bone text 2"
    assert again.not_stored is None


def test_a_run_that_is_asked_to_end_while_it_sends_ends_and_the_next_one_goes_on(
    proxy: FaultyProxy, bucket: Location, store: ObjectStore, tmp_path: Path
) -> None:
    def run_large() -> LocalEngine:
        folder = RunFolder.create(tmp_path / "runs", "large")
        root = PipelineRoot(bucket / "root", ObjectStore(patience=QUICK))
        engine = LocalEngine(folder, StepProcesses(folder.path, {}), root)
        engine.run(large, {})
        return engine

    proxy.plan("call", "PUT", "/files/", action=lambda: os.kill(os.getpid(), signal.SIGTERM))
    first = run_large()
    assert first.stopped
    assert statuses(first) == {"grow": "done"}
    assert stored(store, bucket, "files") == stored(store, bucket, "steps") == []
    proxy.requests.clear()

    again = run_large()

    assert statuses(again) == {"grow": "cached"}
    assert again.not_stored is None
    assert len(stored(store, bucket, "files")) == len(stored(store, bucket, "steps")) == 1
    assert proxy.count("PUT", "partNumber") < 5  # of five parts


def test_no_file_holds_the_secret(run: Run, proxy: FaultyProxy, tmp_path: Path) -> None:
    proxy.plan("status", "PUT", "/steps/", times=1000)
    run("first")

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "kfp.log" for path in files)
    assert not [path for path in files if SECRET_KEY.encode() in path.read_bytes()]
