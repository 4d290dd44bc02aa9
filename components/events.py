"""What a step says while it runs: one JSON object a line, appended to the step's event file.

Every event has ``time`` (seconds since 1970) and ``event``:

==========  =====================================================================
queued      written by the engine before all others: ``parameters`` of the step by name, and
            ``inputs``, the places of the artifacts that it reads
started
progress    ``task``, ``done``, ``total``, ``unit``, ``rate`` (units/s),
            ``seconds_left`` (or null), ``figures`` (latest measurements by name)
message     ``text``
epoch       ``figures``: those of a finished epoch, as in a model's history
metrics     ``figures``
error       ``text``, ``expected``: whether it is an error for the user to mend
stopped     the step was asked to end
finished
outputs     written by the engine when all went well: ``outputs``, what the step made
cached      written by the engine in place of a step's own: nothing had to be done, the ``outputs``
            of an earlier run are used
==========  =====================================================================

The engine adds progress and messages of its own where it fetches or stores what the step made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from frhead_core.progress import PlainReporter, RateClock, Reporter

FILE_NAME = "events.jsonl"
_SECONDS_BETWEEN_PROGRESS = 0.5


class EventFile:
    """Appends events to a file; without a path it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def write(self, event: str, **fields: Any) -> None:
        """Append one event; a line is written whole, so readers may follow the file."""
        if self._path is None:
            return
        line = json.dumps({"time": round(time.time(), 3), "event": event, **fields})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class EventReader:
    """Reads the events that were added to a file since the last time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """New events; a line that is still being written is left for the next time."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [json.loads(line) for line in complete.splitlines()]


class StepReporter(Reporter):
    """Progress of a step: events for programs, and plain lines in the log for people.

    Args:
        events: Where events go.
        log: Where lines go; None for the standard output, which is the log of a step.
    """

    def __init__(self, events: EventFile, log: TextIO | None = None) -> None:
        self._events = events
        self._lines = PlainReporter(log)
        self._task, self._unit = "", ""
        self._clock = RateClock(0)
        self._figures: dict[str, float] = {}
        self._last = 0.0

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self._lines.begin(task, total, unit, done)
        self._task, self._unit, self._figures = task, unit, {}
        self._clock = RateClock(total, done)
        self._progress()

    def advance(self, amount: int = 1, **figures: float) -> None:
        self._lines.advance(amount, **figures)
        self._clock.advance(amount)
        self._figures.update(figures)
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_PROGRESS:
            self._progress()

    def end(self) -> None:
        self._lines.end()
        self._progress()

    def message(self, text: str) -> None:
        self._lines.message(text)
        self._events.write("message", text=text)

    def record(self, row: Mapping[str, Any]) -> None:
        self._events.write("epoch", figures=dict(row))

    def recall(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self.record(row)

    def metrics(self, figures: dict[str, float]) -> None:
        """Final measurements of the step."""
        self._events.write("metrics", figures=figures)

    def _progress(self) -> None:
        self._last = time.monotonic()
        self._events.write(
            "progress",
            task=self._task,
            done=self._clock.done,
            total=self._clock.total,
            unit=self._unit,
            rate=round(self._clock.rate, 3),
            seconds_left=self._clock.seconds_left,
            figures=self._figures,
        )
