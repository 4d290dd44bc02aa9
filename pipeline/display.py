"""One line of progress for each step of a run, read from the event files of the steps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from components.events import FILE_NAME, EventReader
from frhead_core.progress import format_duration, format_figures

_REFRESH_SECONDS = 0.2
_PLAIN_INTERVAL = 15.0
_MARKS = {"running": "▸", "done": "✓", "cached": "=", "failed": "✗", "stopped": "■"}
_SILENT = ("queued", "epoch", "metrics", "outputs")  # they say nothing new to people
_STATUS_OF_EVENT = {
    "finished": "done",
    "cached": "cached",
    "error": "failed",
    "stopped": "stopped",
}


@dataclass
class StepState:
    """What is known of one step from its events.

    Attributes:
        name: The step.
        status: ``running``, ``done``, ``cached``, ``failed`` or ``stopped``.
        started: When it started; until then, when the engine handed it on.
        ended: Time of the last event, once the step has ended.
        text: What there is to say now.
        done: Share of the present task, or None.
        closing: How it ended; what is said after that stands behind it.
    """

    name: str
    status: str = "running"
    started: float = 0.0
    ended: float = 0.0
    text: str = ""
    done: float | None = None
    closing: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        """Bring the state up to date with one event."""
        kind = event["event"]
        if kind == "started" or not self.started:
            self.started = event["time"]
        if kind == "progress":
            self._say(_progress_text(event))
            self.done = event["done"] / max(event["total"], 1)
        elif kind == "message":
            self._say(event["text"])
        elif kind == "metrics":
            self.figures = event["figures"]
        elif kind in _STATUS_OF_EVENT and self.status == "running":
            self.status = _STATUS_OF_EVENT[kind]
            self.ended, self.done = event["time"], None
            self.text = self.closing = self._closing_text(event)

    def _say(self, text: str) -> None:
        self.text = f"{self.closing}; {text}" if self.closing else text
        self.done = None if self.closing else self.done

    def _closing_text(self, event: dict[str, Any]) -> str:
        if self.status == "cached":
            return "nothing to do, results of an earlier run are used"
        if self.status == "failed":
            return str(event["text"])
        text = f"{self.status} in {format_duration(self.ended - self.started)}"
        accuracies = {name: self.figures[name] for name in self.figures if _is_accuracy(name)}
        return f"{text}  {format_figures(accuracies)}" if accuracies else text


def _is_accuracy(name: str) -> bool:
    return name.endswith("_top1") and "train" not in name


def _progress_text(event: dict[str, Any]) -> str:
    text = f"{event['task']}: {event['done']}/{event['total']} {event['unit']}"
    if event["rate"]:
        text += f", {event['rate']:.1f} {event['unit']}/s"
    if event["seconds_left"] and event["done"] < event["total"]:
        text += f", {format_duration(event['seconds_left'])} left"
    return f"{text}  {format_figures(event['figures'])}" if event["figures"] else text


class _View(Protocol):
    def show(self, state: StepState, event: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class _TerminalView:
    """A table that is drawn again and again."""

    def __init__(self, console: Console) -> None:
        self._states: dict[str, StepState] = {}
        self._live = Live(console=console, refresh_per_second=5, get_renderable=self._table)
        self._live.start()

    def show(self, state: StepState, event: dict[str, Any]) -> None:
        self._states[state.name] = state

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for state in sorted(self._states.values(), key=lambda state: state.started):
            bar = (
                "" if state.done is None else ProgressBar(total=1.0, completed=state.done, width=20)
            )
            # As plain text: brackets in a path are no markup.
            table.add_row(_MARKS[state.status], Text(state.name), bar, Text(state.text))
        return table


class _PlainView:
    """Lines for a log: what happens, and how far each step is every quarter of a minute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: dict[str, float] = {}

    def show(self, state: StepState, event: dict[str, Any]) -> None:
        if event["event"] in _SILENT or not self._is_due(state, event):
            return
        text = "started" if event["event"] == "started" else state.text
        print(f"{state.name}: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        """There is nothing to close."""

    def _is_due(self, state: StepState, event: dict[str, Any]) -> bool:
        last = self._last.setdefault(state.name, event["time"])
        if event["event"] != "progress":
            return True
        if event["time"] - last < _PLAIN_INTERVAL:
            return False
        self._last[state.name] = event["time"]
        return True


class _Follower:
    """Feeds new events of all steps of a run to a view."""

    def __init__(self, steps: Path, view: _View) -> None:
        self._steps = steps
        self._view = view
        self._readers: dict[Path, EventReader] = {}
        self._states: dict[Path, StepState] = {}

    def poll(self) -> None:
        new = []
        for file in sorted(self._steps.glob(f"*/{FILE_NAME}")):
            reader = self._readers.setdefault(file, EventReader(file))
            state = self._states.setdefault(file, StepState(file.parent.name))
            new += [(event, state) for event in reader.read()]
        for event, state in sorted(new, key=lambda item: float(item[0]["time"])):
            state.take(event)
            self._view.show(state, event)


@contextmanager
def progress_of(steps: Path, stream: TextIO) -> Iterator[None]:
    """Show the progress of a run while the body runs it.

    Args:
        steps: Folder with a folder for each step.
        stream: Where to show it; a table on a terminal, else plain lines.
    """
    view: _View = _TerminalView(Console(file=stream)) if stream.isatty() else _PlainView(stream)
    follower = _Follower(steps, view)
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(_REFRESH_SECONDS):
            follower.poll()

    thread = threading.Thread(target=follow, name="display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        follower.poll()
        view.close()
