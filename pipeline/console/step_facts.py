"""What a step's event file says of it, read on from where it was read to before."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from components.events import FILE_NAME, EventReader
from pipeline.display import StepState
from pipeline.run_folder import RunFolder

_MOST_LOSSES = 600
_FILES_KEPT = 512


@dataclass(frozen=True)
class StepFacts:
    """What is known of a step.

    Attributes:
        queued: When the engine handed it on; None where that is not recorded.
        started: When it started.
        ended: When it ended; None before.
        parameters: What it was told, by name; None where that is not recorded.
        inputs: Places of the artifacts that it read, by name.
        outputs: Places of what it made, and its results that are no files; empty before its end.
        cached: Whether these are of an earlier run.
        share: How much of its present task is done, 0 to 1; None where that is not known.
        figures: Its final measurements.
        epochs: Figures of each epoch, of a step that trains.
        losses: How much of the training was done, 0 to 1, and the loss of the batch after which
            that was; thinned out as they become many.
    """

    queued: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    parameters: Mapping[str, Any] | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = False
    share: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    epochs: Sequence[Mapping[str, Any]] = ()
    losses: Sequence[tuple[float, float]] = ()


def step_facts(folder: RunFolder, step: str) -> StepFacts:
    """What is known of a step from its events; of one that has none, nothing."""
    path = folder.steps / step / FILE_NAME
    try:
        size, number = path.stat().st_size, path.stat().st_ino
    except OSError:
        return StepFacts()
    return _file(path, number).facts(size)


@lru_cache(maxsize=_FILES_KEPT)
def _file(path: Path, _number: int) -> _EventFile:
    return _EventFile(path)


class _EventFile:
    """A growing file, and what it has said so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._reader = EventReader(self._path)
        self._size = 0
        self._state = StepState(self._path.parent.name)
        self._queued: float = 0.0
        self._said: dict[str, Any] = {}
        self._epochs: dict[int, Mapping[str, Any]] = {}
        self._losses: list[tuple[float, float]] = []
        self._every, self._seen = 1, 0

    def facts(self, size: int) -> StepFacts:
        """What is known when the file has grown to ``size`` bytes."""
        with self._lock:
            if size < self._size:  # it is another one of that name
                self._begin()
            self._size = size
            for event in self._reader.read():
                self._take(event)
            return StepFacts(
                queued=_moment(self._queued),
                started=_moment(self._state.started),
                ended=_moment(self._state.ended),
                share=self._state.done,
                figures=dict(self._state.figures),
                epochs=tuple(self._epochs.values()),
                losses=tuple(self._losses),
                **self._said,
            )

    def _take(self, event: Mapping[str, Any]) -> None:
        self._state.take(dict(event))
        kind = event["event"]
        if kind == "queued":
            self._queued = event["time"]
            self._said |= {"parameters": event["parameters"], "inputs": event["inputs"]}
        elif kind in ("outputs", "cached"):
            self._said |= {"outputs": event["outputs"], "cached": kind == "cached"}
        elif kind == "epoch":
            self._epochs[event["figures"]["epoch"]] = event["figures"]
        elif kind == "progress" and "loss" in event["figures"]:
            self._take_loss(event["done"] / max(event["total"], 1), event["figures"]["loss"])

    def _take_loss(self, share: float, loss: float) -> None:
        if self._seen % self._every == 0:
            self._losses.append((share, loss))
        self._seen += 1
        if len(self._losses) > _MOST_LOSSES:
            del self._losses[1::2]
            self._every *= 2


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
