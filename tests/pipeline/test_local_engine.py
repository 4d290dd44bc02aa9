"""The engine on a small graph of the same shape as the real one.

Not ``from __future__ import annotations``: kfp reads the annotations as objects.
"""

# ruff: noqa: PLC0415

import builtins
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import List  # noqa: UP035

import pytest
from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Output

from pipeline.local_engine import LocalEngine
from pipeline.run_folder import RunFolder, maker_file
from pipeline.step_processes import StepProcesses


@dsl.component(base_image="image", install_kfp_package=False)
def look(made: Input[Dataset]) -> str:
    from pathlib import Path

    from components.runtime import step

    with step():
        return Path(made.path).read_text()


@dsl.component(base_image="image", install_kfp_package=False)
def work(modality: str, how: str, text: str, made: Output[Dataset], metrics: Output[Metrics]):
    import os
    import signal
    import time
    from pathlib import Path

    from components.artifacts import log_metrics
    from components.runtime import step
    from frhead_core.errors import InputError

    with step() as reporter:
        print(f"log line of {modality}")
        reporter.message(f"message of {modality}")
        if how == f"refuse {modality}":
            raise InputError("is odd", file=text)
        if how == f"crash {modality}":
            raise ValueError("odd")
        if how == f"exit {modality}":
            raise SystemExit(2)
        if how == f"vanish {modality}":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "wait":
            time.sleep(60)
        if how == f"forget {modality}":
            return
        Path(made.path).write_text(f"{modality} {text} {os.environ['VARIABLE']}")
        log_metrics(metrics, {"length": len(text)})


@dsl.component(base_image="image", install_kfp_package=False)
def gather(made: Input[List[Dataset]], all_of_them: Output[Dataset]):  # noqa: UP006
    from pathlib import Path

    from components.runtime import step

    with step():
        Path(all_of_them.path).write_text(" + ".join(Path(each.path).read_text() for each in made))


def tiny(parallelism: int = 1):
    @dsl.pipeline(name="tiny")
    def pipeline(text: str, items: list, how: str = ""):
        with dsl.ParallelFor(items, parallelism=parallelism) as item:
            worked = work(modality=item.modality, how=how, text=text)
        gathered = gather(made=dsl.Collected(worked.outputs["made"]))
        look(made=gathered.outputs["all_of_them"]).set_caching_options(False)

    return pipeline


Run = Callable[..., LocalEngine]
BOTH = ("joint", "bone")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def start(
        text: str = "text",
        modalities: tuple[str, ...] = BOTH,
        how: str = "",
        parallelism: int = 1,
        variable: str = "1",
    ) -> LocalEngine:
        # A folder that kfp would put the path of the interpreter into.
        folder = RunFolder.create(tmp_path / "with python3 inside", "tiny")
        engine = LocalEngine(folder, StepProcesses(folder.path, {"VARIABLE": variable}))
        items = [{"modality": modality} for modality in modalities]
        engine.run(tiny(parallelism), {"text": text, "items": items, "how": how})
        return engine

    return start


def statuses(engine: LocalEngine) -> dict[str, str]:
    return {name: outcome.status for name, outcome in engine.outcomes.items()}


def step_folder(engine: LocalEngine, name: str) -> Path:
    return engine.folder.step(name)


def events(engine: LocalEngine, name: str) -> list[dict]:
    lines = (step_folder(engine, name) / "events.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def result(engine: LocalEngine) -> str:
    return str(engine.outcomes["look"].outputs["Output"])


def test_steps_run_and_a_second_run_repeats_only_what_is_never_cached(run: Run) -> None:
    first, second = run(), run(variable="2")

    assert statuses(first) == dict.fromkeys(["work-joint", "work-bone", "gather", "look"], "done")
    assert result(first) == "joint text 1 + bone text 1"
    assert statuses(second) == {
        "look": "done",
        "work-joint": "cached",
        "work-bone": "cached",
        "gather": "cached",
    }
    assert result(second) == result(first)


def test_every_step_has_a_log_and_events_of_its_own_also_when_cached(run: Run) -> None:
    first, second = run(parallelism=2), run(parallelism=2)

    for modality in BOTH:
        other = "bone" if modality == "joint" else "joint"
        log = (step_folder(first, f"work-{modality}") / "log.txt").read_text()
        assert f"log line of {modality}" in log
        assert f"log line of {other}" not in log
        names = [event["event"] for event in events(first, f"work-{modality}")]
        assert names == ["queued", "started", "message", "finished", "outputs"]
        cached = events(second, f"work-{modality}")
        assert [event["event"] for event in cached] == ["queued", "cached"]
        place = first.outcomes[f"work-{modality}"].outputs["made"]
        assert cached[1]["outputs"]["made"] == place
        assert place in (step_folder(second, f"work-{modality}") / "log.txt").read_text()


def test_a_step_says_what_it_was_told_and_what_it_made_and_the_artifacts_by_whom(run: Run) -> None:
    first, second = run(), run()

    queued, *_, made = events(first, "work-joint")
    assert queued["parameters"]["modality"] == "joint"
    assert made["outputs"] == first.outcomes["work-joint"].outputs
    gathered, *_ = events(first, "gather")
    assert gathered["inputs"] == {
        "made": [first.outcomes[f"work-{modality}"].outputs["made"] for modality in BOTH]
    }
    place = second.outcomes["gather"].outputs["all_of_them"]  # from the cache
    maker = maker_file(second.folder.artifacts, place)
    assert maker is not None and maker.read_text() == f"{first.folder.name}\n"
    assert maker_file(second.folder.artifacts, "/elsewhere/made") is None


def test_fewer_items_repeat_only_what_gathers_them(run: Run) -> None:
    run()
    fewer = run(modalities=("bone",))

    assert statuses(fewer) == {"look": "done", "work-bone": "cached", "gather": "done"}
    assert result(fewer) == "bone text 1"


def test_an_artifact_that_is_gone_is_made_again(run: Run) -> None:
    first = run()
    Path(first.outcomes["work-bone"].outputs["made"]).unlink()

    assert statuses(run()) == {
        "look": "done",
        "work-joint": "cached",
        "work-bone": "done",
        "gather": "done",
    }


@pytest.mark.parametrize(
    ("how", "exit_code", "expected", "error"),
    [
        ("refuse joint", 2, True, "text: is odd"),
        ("exit joint", 2, False, "the step ended with exit code 2; its log says more"),
        ("crash joint", 1, False, "ValueError: odd"),
        ("vanish joint", -9, False, "the step was ended by signal SIGKILL (out of memory?)"),
        (
            "forget joint",
            1,
            False,
            "the step ended without making made, metrics; its log says more",
        ),
    ],
)
def test_a_failed_step_says_why_and_no_new_step_starts(
    run: Run, how: str, exit_code: int, expected: bool, error: str
) -> None:
    engine = run(how=how)

    assert statuses(engine) == {"work-joint": "failed"}
    assert engine.failure is engine.outcomes["work-joint"]
    assert (engine.failure.exit_code, engine.failure.error) == (exit_code, error)
    assert engine.failure.expected == expected
    last = events(engine, "work-joint")[-1]
    assert (last["event"], last["text"]) == ("error", error)


def test_a_failure_is_not_remembered(run: Run) -> None:
    run(how="refuse bone")
    engine = run(how="refuse bone")

    assert statuses(engine) == {"work-joint": "cached", "work-bone": "failed"}


def test_a_signal_ends_the_steps_and_the_run(run: Run) -> None:
    def stop_soon() -> None:
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_soon, daemon=True).start()
    begin = time.monotonic()
    engine = run(how="wait", parallelism=2)

    assert time.monotonic() - begin < 20
    assert engine.stopped
    assert engine.failure is None
    assert statuses(engine) == {"work-joint": "stopped", "work-bone": "stopped"}
    assert events(engine, "work-joint")[-1]["event"] == "stopped"


def test_nothing_of_kfp_is_left_behind(
    run: Run, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = builtins.print, logging.getLogger().level, signal.getsignal(signal.SIGTERM)

    engine = run(parallelism=2)

    assert (builtins.print, logging.getLogger().level, signal.getsignal(signal.SIGTERM)) == before
    assert capfd.readouterr().out == ""
    assert "Running pipeline" in (engine.folder.path / "kfp.log").read_text()
    assert list(temporary.iterdir()) == []
