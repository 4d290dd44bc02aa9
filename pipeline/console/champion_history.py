"""Champions for the console: whose there are, and what became of the candidates.

A place of champions holds those that were accepted. Why others were refused is in the results of
their runs, so it is known of runs in the work directory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from components.champion_place import champion_place
from components.champions import ChampionRecord, Champions
from components.object_storage.client import ObjectStore
from components.object_storage.location import Location, is_uri
from frhead_core.errors import InputError
from pipeline.results import PROMOTION_JSON
from pipeline.run_folder import recorded_moment
from pipeline.run_records import read_facts


@dataclass(frozen=True)
class ChampionSummary:
    """One number of a benchmark's history, without what it consists of.

    Attributes:
        benchmark: Whose champion it is.
        number: From 1; the highest is the champion.
        kind: By the gate, or by going back to an older champion.
        refers_to: The older number, for a way back.
        top1: Accuracy in percent.
        samples: Test samples that it was measured on.
        created: When it became champion.
        run: That made it.
        reason: One line.
        weights: Of the modalities in the ensemble.
        checks: Conditions of the gate: name, found, required, holds.
        content: Names the models; equal ones are the same models.
        address: Where these lie.
    """

    benchmark: str
    number: int
    kind: Literal["promotion", "rollback"]
    refers_to: int | None
    top1: float
    samples: int
    created: datetime
    run: str
    reason: str
    weights: dict[str, float]
    checks: tuple[dict[str, Any], ...]
    content: str
    address: str


@dataclass(frozen=True)
class Refusal:
    """A candidate that was refused.

    Attributes:
        run: That made it.
        created: When its run ended.
        top1: Accuracy in percent.
        samples: Test samples that it was measured on.
        reason: One line.
    """

    run: str
    created: datetime
    top1: float
    samples: int
    reason: str


class _Facts(BaseModel):
    """What is needed here of a ``run.json``."""

    benchmark: str
    champions: str
    started: str
    seconds: float = 0.0


class _Decision(BaseModel):
    """What is needed here of a ``promotion.json``."""

    promoted: bool
    reason: str
    accuracy: float
    samples: int


def champions_of(place: str, benchmark: str) -> Champions:
    """The champions of a benchmark in a place."""
    return Champions(champion_place(place), benchmark)


def benchmarks_in(place: str) -> list[str]:
    """The benchmarks that have champions in a place, sorted.

    Raises:
        InputError: If it cannot be read.
    """
    if is_uri(place):
        root = Location.parse(place)
        below = len(root.prefix)
        keys = (each.location.key[below:] for each in ObjectStore().objects(root))
        return sorted({key.partition("/")[0] for key in keys if "/" in key})
    try:
        return sorted(path.name for path in Path(place).iterdir() if path.is_dir())
    except FileNotFoundError:  # nothing was promoted yet
        return []
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=place) from error


def summary(champions: Champions, record: ChampionRecord) -> ChampionSummary:
    """What there is to say of a champion.

    Raises:
        InputError: If the record is damaged.
    """
    try:
        return ChampionSummary(
            benchmark=record.benchmark,
            number=record.number,
            kind=record.kind,
            refers_to=record.refers_to,
            top1=float(record.metrics["top1"]),
            samples=int(record.metrics["samples"]),
            created=datetime.fromisoformat(record.created),
            run=record.run,
            reason=record.reason,
            weights=dict(record.weights),
            checks=tuple(record.decision.get("checks") or ()),
            content=record.content,
            address=champions.address(record),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"the record of champion {record.number} is damaged ({error})",
            file=champions.address(record),
        ) from error


def refusals(work_directory: Path, place: str, benchmark: str) -> Iterator[Refusal]:
    """Candidates of a benchmark that runs in a work directory made and the gate refused."""
    for path in work_directory.glob(f"*/results/{PROMOTION_JSON}"):
        folder = path.parents[1]
        try:
            facts = _Facts.model_validate(read_facts(folder))
            decision = _Decision.model_validate_json(path.read_bytes())
            ended = _ended(facts)
        except (InputError, OSError, ValueError):
            continue  # the run goes on, or was cut off; its own page says so
        if (facts.benchmark, facts.champions) == (benchmark, place) and not decision.promoted:
            yield Refusal(folder.name, ended, decision.accuracy, decision.samples, decision.reason)


def _ended(facts: _Facts) -> datetime:
    started = recorded_moment(facts.started)
    return started.astimezone(UTC) + timedelta(seconds=facts.seconds)
