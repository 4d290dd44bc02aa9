from __future__ import annotations

import io

import pytest
from rich.console import Console

from frhead_core import progress
from frhead_core.progress import BarReporter, PlainReporter, format_duration, terminal_reporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_say_rate_and_time_left(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream, interval=10)
    reporter.begin("train joint", 1000, "samples", done=500)
    clock[0] += 5
    reporter.advance(50, loss=1.25)
    assert stream.getvalue() == ""  # not yet time for a line
    clock[0] += 5
    reporter.advance(50, loss=1.125)
    # What an earlier run did counts as done, not as speed.
    expected = "train joint: 600/1000 samples, 10.0 samples/s, 0:40 left  loss 1.125\n"
    assert stream.getvalue() == expected
    clock[0] += 40
    reporter.advance(400)
    reporter.end()
    assert stream.getvalue().splitlines()[-1].startswith("train joint: 1000/1000 samples")


def test_how_long_the_rest_takes_is_not_told_from_the_first_report(clock: list[float]) -> None:
    stream = io.StringIO()
    reporter = PlainReporter(stream, interval=10)
    reporter.begin("reading", 1000, "files")
    clock[0] += 40  # in which functions are compiled
    reporter.advance(1)
    assert stream.getvalue() == "reading: 1/1000 files, 0.0 files/s\n"
    clock[0] += 10
    reporter.advance(99)
    assert stream.getvalue().splitlines()[-1] == "reading: 100/1000 files, 2.0 files/s, 1:31 left"


def test_bar_shows_task_count_and_figures() -> None:
    stream = io.StringIO()
    reporter = BarReporter(Console(file=stream, force_terminal=True, width=120))
    reporter.begin("train bone", 10, "samples")
    reporter.advance(10, loss=0.5)
    reporter.end()
    assert "train bone" in stream.getvalue()
    assert "10/10" in stream.getvalue()
    assert "loss 0.5" in stream.getvalue()


def test_without_a_terminal_lines_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", io.StringIO())
    assert isinstance(terminal_reporter(), PlainReporter)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75, "1:15"), (3675, "1:01:15")])
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
