"""How long work says how far it is: one small interface, a silent and a terminal implementation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)


class Reporter:
    """Receives the progress of long work. This base class ignores it.

    One task is under way at a time: ``begin``, any number of ``advance``, ``end``.
    """

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        """Start a task of ``total`` units, ``done`` of which were finished by an earlier run."""

    def advance(self, amount: int = 1, **figures: float) -> None:
        """Count ``amount`` more units; ``figures`` are the latest values of what is measured."""

    def end(self) -> None:
        """Finish the task that is under way."""

    def message(self, text: str) -> None:
        """Say one line that is worth reading later."""

    def record(self, row: Mapping[str, Any]) -> None:
        """Receive one finished row of measurements, such as an epoch's."""

    def recall(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Receive the rows that an earlier run finished, before this one goes on after them."""


SILENT = Reporter()
"""Tells nobody."""


@contextmanager
def reporting(
    reporter: Reporter, task: str, total: int, unit: str, done: int = 0
) -> Iterator[None]:
    """A task that ends also when what happens within fails."""
    reporter.begin(task, total, unit, done)
    try:
        yield
    finally:
        reporter.end()


def format_duration(seconds: float) -> str:
    """Seconds as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def format_figures(figures: dict[str, float]) -> str:
    """The latest measurements as ``name value`` pairs, to stand behind a progress bar."""
    return "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())


class RateClock:
    """Counts units done and says at what rate and how long the rest will take.

    Units that an earlier run finished count as done, not as speed. Nor does the first report for
    how long the rest will take: machine code may be made before it, or a GPU be woken up.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self.total = total
        self.done = done
        self._done_before = done
        self._started = time.monotonic()
        self._first: tuple[int, float] | None = None

    def advance(self, amount: int) -> None:
        """Count ``amount`` more units."""
        self.done += amount
        if self._first is None:
            self._first = (self.done, time.monotonic())

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Units a second in this process, 0 before the first."""
        return (self.done - self._done_before) / max(self.elapsed, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds to the end, None before the second report."""
        done, moment = self._first or (self.done, 0.0)
        if self.done == done:
            return None
        return (self.total - self.done) * (time.monotonic() - moment) / (self.done - done)


class PlainReporter(Reporter):
    """Progress as plain lines for logs: every ``interval`` seconds and at the end of a task."""

    def __init__(self, stream: TextIO | None = None, interval: float = 15.0) -> None:
        self._stream = stream or sys.stdout
        self._interval = interval
        self._task = ""
        self._unit = ""
        self._clock = RateClock(0)
        self._figures: dict[str, float] = {}
        self._last = 0.0

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self._task, self._unit, self._figures = task, unit, {}
        self._clock = RateClock(total, done)
        self._last = time.monotonic()

    def advance(self, amount: int = 1, **figures: float) -> None:
        self._clock.advance(amount)
        self._figures.update(figures)
        if time.monotonic() - self._last >= self._interval:
            self._last = time.monotonic()
            self._line()

    def end(self) -> None:
        self._line()

    def message(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def _line(self) -> None:
        clock = self._clock
        text = f"{self._task}: {clock.done}/{clock.total} {self._unit}"
        text += f", {clock.rate:.1f} {self._unit}/s"
        if clock.done >= clock.total:
            text += f", {format_duration(clock.elapsed)}"
        elif clock.seconds_left is not None:
            text += f", {format_duration(clock.seconds_left)} left"
        if self._figures:
            text += f"  {format_figures(self._figures)}"
        self.message(text)


class BarReporter(Reporter):
    """Progress as a bar on a terminal, with rate and time left."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress: Progress | None = None
        self._task_id: TaskID | None = None
        self._clock = RateClock(0)
        self._unit = ""

    def begin(self, task: str, total: int, unit: str, done: int = 0) -> None:
        self._unit, self._clock = unit, RateClock(total, done)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
        )
        self._progress.start()
        self._task_id = self._progress.add_task(
            task, total=total, completed=done, rate="", figures=""
        )

    def advance(self, amount: int = 1, **figures: float) -> None:
        self._clock.advance(amount)
        if self._progress is None or self._task_id is None:
            return
        rate = f"{self._clock.rate:.1f} {self._unit}/s"
        self._progress.update(self._task_id, advance=amount, rate=rate)
        if figures:
            self._progress.update(self._task_id, figures=format_figures(figures))

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def message(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


def terminal_reporter() -> Reporter:
    """A bar where there is a terminal to draw it on, else plain lines."""
    return BarReporter() if sys.stderr.isatty() else PlainReporter()
