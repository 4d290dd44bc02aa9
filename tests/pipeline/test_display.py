from __future__ import annotations

import io
from pathlib import Path

import pytest

from components.events import FILE_NAME, EventFile
from pipeline.display import StepState, progress_of


def step_events(steps: Path, name: str) -> EventFile:
    (steps / name).mkdir(parents=True)
    return EventFile(steps / name / FILE_NAME)


PROGRESS = {
    "task": "training",
    "done": 320,
    "total": 1020,
    "unit": "samples",
    "rate": 16.04,
    "seconds_left": 44.0,
    "figures": {"loss": 1.25},
}


def test_lines_tell_what_happens_to_each_step(tmp_path: Path) -> None:
    stream = io.StringIO()
    with progress_of(tmp_path, stream):
        cached, train = step_events(tmp_path, "prepare"), step_events(tmp_path, "train-joint")
        cached.write("cached", outputs={})
        train.write("started")
        train.write("progress", **PROGRESS)
        train.write("message", text="epoch 1/2: top-1 50 %")
        train.write("metrics", figures={"last_top1": 50.0, "last_train_top1": 80.0, "loss": 1.0})
        train.write("finished")

    lines = stream.getvalue().splitlines()
    assert lines[0] == "prepare: nothing to do, results of an earlier run are used"
    assert lines[1:-1] == ["train-joint: started", "train-joint: epoch 1/2: top-1 50 %"]
    assert lines[-1].startswith("train-joint: done in 0:0")
    assert lines[-1].endswith("last top1 50")


def test_progress_says_how_far_how_fast_and_how_long() -> None:
    state = StepState("train-joint")
    state.take({"time": 1.0, "event": "progress", **PROGRESS})

    assert state.text == "training: 320/1020 samples, 16.0 samples/s, 0:44 left  loss 1.25"
    assert state.done == 320 / 1020


def test_an_error_stays_although_the_step_says_more() -> None:
    state = StepState("train-joint")
    state.take({"time": 1.0, "event": "error", "text": "a.zip: is truncated"})
    state.take({"time": 2.0, "event": "finished"})

    assert (state.status, state.text) == ("failed", "a.zip: is truncated")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress_of(tmp_path, stream):
        for name in ("a_step", "b_step"):
            events = step_events(tmp_path, name)
            events.write("started")
            events.write("progress", **PROGRESS)
    lines = stream.getvalue().splitlines()

    for name in ("a_step", "b_step"):
        row = next(line for line in reversed(lines) if name in line)
        assert "320/1020 samples" in row
