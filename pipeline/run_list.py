"""Lists of runs: filtered, sorted, page by page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from frhead_core.config import MODALITIES
from pipeline.run_engine import RunRecord, RunState

Epoch = Literal["last", "best"]
Order = Literal["asc", "desc"]
SortKey = Literal[
    "started", "run", "status", "benchmark", "backbone", "modalities", "started_by", "duration",
    "ensemble", "joint", "bone", "joint_motion", "bone_motion",
]  # fmt: skip
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)
JUDGED: tuple[SortKey, ...] = ("ensemble", *MODALITIES)
TEXT_KEYS: tuple[SortKey, ...] = (
    "run", "status", "benchmark", "backbone", "modalities", "started_by",
)  # fmt: skip

_Value = str | float


@dataclass(frozen=True)
class RunQuery:
    """Which runs, and in which order.

    Attributes:
        status: Only those in this state; empty for all, as the next three.
        benchmark: Only those of this benchmark.
        backbone: Only those with this backbone.
        text: Only those that have each of these words somewhere, whatever the case of letters.
        sort: By what.
        order: Ascending or descending; runs that lack what they are sorted by come last.
        epoch: Whose accuracies are meant.
        page: From 1.
        per_page: Runs on a page.
    """

    status: RunState | Literal[""] = ""
    benchmark: str = ""
    backbone: str = ""
    text: str = ""
    sort: SortKey = "started"
    order: Order = "desc"
    epoch: Epoch = "last"
    page: int = 1
    per_page: int = 50


@dataclass(frozen=True)
class RunPage:
    """One page of a list of runs.

    Attributes:
        runs: In order; none on a page after the last.
        found: Runs that the filter lets through, on all pages.
        pages: How many pages they fill; at least 1.
    """

    runs: list[RunRecord]
    found: int
    pages: int


def run_page(runs: Iterable[RunRecord], query: RunQuery) -> RunPage:
    """The page that is asked for. Every run that the filter lets through is on exactly one."""
    chosen = in_order([run for run in runs if _matches(run, query)], query)
    begin = (query.page - 1) * query.per_page
    return RunPage(
        runs=chosen[begin : begin + query.per_page],
        found=len(chosen),
        pages=max(1, math.ceil(len(chosen) / query.per_page)),
    )


def in_order(runs: Sequence[RunRecord], query: RunQuery) -> list[RunRecord]:
    """Sorted; of equal ones the one with the later name first, whatever the order."""
    value = _value(query)
    newest_first = sorted(runs, key=lambda run: run.id, reverse=True)
    known = [(found, run) for run in newest_first if (found := value(run)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=query.order == "desc")  # all of one kind
    return [run for _, run in known] + [run for run in newest_first if value(run) is None]


def seconds_of(run: RunRecord) -> float | None:
    """How long a run took, or takes so far; None if that is not known."""
    if run.started is None or (run.ended is None and run.state not in ("running", "stopping")):
        return None
    return ((run.ended or datetime.now(UTC)) - run.started).total_seconds()


def accuracy_of(run: RunRecord, name: str, epoch: Epoch) -> float | None:
    """Top-1 accuracy in percent of a modality or the ensemble; None if that is not known."""
    accuracy = run.accuracies.get(name)
    if accuracy is None:
        return None
    return accuracy.last if epoch == "last" else accuracy.best


def _value(query: RunQuery) -> Callable[[RunRecord], _Value | None]:
    """What runs are sorted by: a number or text, None where a run has none."""
    key = query.sort
    if key in JUDGED:
        return lambda run: accuracy_of(run, key, query.epoch)
    texts: dict[str, Callable[[RunRecord], str]] = {
        "run": lambda run: run.id,
        "status": lambda run: run.state,
        "benchmark": lambda run: run.benchmark.casefold(),
        "backbone": lambda run: run.backbone.casefold(),
        "modalities": lambda run: ", ".join(run.modalities),
        "started_by": lambda run: run.started_by.casefold(),
    }
    if key in texts:
        return lambda run: texts[key](run) or None
    if key == "duration":
        return seconds_of
    return lambda run: run.started.timestamp() if run.started else None


def _matches(run: RunRecord, query: RunQuery) -> bool:
    exact = (
        (query.status, run.state),
        (query.benchmark, run.benchmark),
        (query.backbone, run.backbone),
    )
    if any(wanted not in ("", found) for wanted, found in exact):
        return False
    words = query.text.casefold().split()
    return not words or all(word in _searched(run) for word in words)


def _searched(run: RunRecord) -> str:
    parts = (run.id, run.state, run.name, run.benchmark, run.backbone, run.started_by, run.error)
    return "\n".join((*parts, *run.modalities, run.details.get("raw", ""))).casefold()
