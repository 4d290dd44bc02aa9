from __future__ import annotations

from pathlib import Path

import pytest

from components.events import EventFile, EventReader, StepReporter


def test_events_are_read_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    assert reader.read() == []

    events = EventFile(path)
    events.write("message", text="first")
    assert [event["text"] for event in reader.read()] == ["first"]
    with path.open("a") as file:
        file.write('{"event": "mess')
    assert reader.read() == []
    with path.open("a") as file:
        file.write('age", "text": "second"}\n')
    assert [event["text"] for event in reader.read()] == ["second"]


def test_without_a_file_only_lines_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    StepReporter(EventFile(None)).message("hello")

    assert capsys.readouterr().out == "hello\n"


def test_progress_counts_what_an_earlier_run_did_as_done_but_not_as_speed(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reporter = StepReporter(EventFile(path))

    reporter.begin("training", total=10, unit="samples", done=6)
    reporter.advance(4, loss=0.5)
    reporter.end()

    first, *_, last = EventReader(path).read()
    assert (first["done"], first["rate"]) == (6, 0)
    assert (last["done"], last["total"], last["unit"]) == (10, 10, "samples")
    assert last["figures"] == {"loss": 0.5}
    assert last["rate"] > 0


def test_progress_is_not_written_for_every_unit(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reporter = StepReporter(EventFile(path))

    reporter.begin("reading", total=1000, unit="files")
    for _ in range(1000):
        reporter.advance()
    reporter.end()

    events = EventReader(path).read()
    assert len(events) < 20
    assert events[-1]["done"] == 1000
