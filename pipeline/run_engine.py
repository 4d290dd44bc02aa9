"""Runs, wherever they are: what is said of one, and what can be done with it.

One small interface over runs of this machine (:mod:`pipeline.local_runs`) and of a Kubeflow
Pipelines endpoint (:mod:`pipeline.kubeflow_runs`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from frhead_core.errors import InputError
from frhead_core.settings_files import closest

RunState = Literal[
    "waiting", "running", "stopping", "done", "cached", "failed", "stopped", "lost", "unknown"
]
ENDED: frozenset[RunState] = frozenset({"done", "cached", "failed", "stopped", "lost"})


@dataclass(frozen=True)
class StepRecord:
    """One step of a run.

    Attributes:
        name: The step, with its modality or place in a loop where it has one.
        state: Of the step; ``cached`` if an earlier result was used.
        started: When it started; None before.
        ended: When it ended; None before.
        text: What there is to say: progress, or the error.
    """

    name: str
    state: RunState
    started: datetime | None = None
    ended: datetime | None = None
    text: str = ""


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy of a modality, or of the ensemble, on the test samples, in percent.

    Attributes:
        last: Of the last epoch.
        best: Of the epoch that was kept as the best.
        best_on: What that was chosen on: ``best_on_test`` or ``best_on_validation``.
        published: What the authors published, of the epoch that is best on test.
    """

    last: float | None = None
    best: float | None = None
    best_on: str | None = None
    published: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        id: By which it is asked for.
        name: For people.
        state: Of the run; ``lost`` if its program ended without saying how.
        started: When it started; None before.
        ended: When it ended; None before.
        error: Why it failed, or why little is known of it.
        benchmark: Its name; empty where it is not known, as the next three.
        backbone: Its name.
        modalities: In the usual order.
        started_by: The user, or the schedule, that started it.
        accuracies: By modality, and of the ``ensemble``; empty before it is done.
        details: Whatever else is known, by name.
        steps: In the order in which they started; empty in a list of runs.
    """

    id: str
    name: str
    state: RunState
    started: datetime | None = None
    ended: datetime | None = None
    error: str = ""
    benchmark: str = ""
    backbone: str = ""
    modalities: tuple[str, ...] = ()
    started_by: str = ""
    accuracies: Mapping[str, Accuracy] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepRecord, ...] = ()


class RunEngine(Protocol):
    """Where runs are. Every method raises an FRHeadError if the place or the run cannot be used."""

    @property
    def place(self) -> str:
        """For people: a folder or an endpoint."""

    def runs(self, limit: int) -> list[RunRecord]:
        """The newest runs, newest first, without their steps."""

    def run(self, run_id: str) -> RunRecord:
        """One run with its steps."""

    def log(self, run_id: str, step: str) -> str:
        """What a step has written so far."""

    def stop(self, run_id: str) -> None:
        """Ask a run to end; what it has finished is kept."""

    def retry(self, run_id: str) -> str:
        """Go on with a run that failed or was stopped; the id of the run that does."""


class NotThereError(InputError):
    """There is no such run, step or schedule."""


class UnavailableError(InputError):
    """The place cannot be asked now; what is there is not known."""


def unknown_step(place: object, step: str, known: Collection[str]) -> NotThereError:
    """What is to be said of a step that a run does not have."""
    return NotThereError(
        "this run has no such step",
        file=str(place),
        found=step,
        expected=", ".join(known) or "a run with steps",
        hint=closest(step, known),
    )
