"""Champions, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from components.champions import Champions, roll_back
from frhead_core.errors import InputError
from pipeline.console.champion_history import (
    ChampionSummary,
    Refusal,
    benchmarks_in,
    champions_of,
    refusals,
    summary,
)
from pipeline.console.dependencies import Name, Runs
from pipeline.console.failures import NoSuchThingError
from pipeline.console.routes.api import Failure

LONGEST_REASON = 1000
HIGHEST_NUMBER = 2**31
_NOT_BLANK = r"\S"

router = APIRouter(
    prefix="/api/v1/champions",
    tags=["champions"],
    responses={status: {"model": Failure} for status in (401, 403, 404)},
)


def _place(request: Request) -> str:
    place: str = request.app.state.settings.champions
    if not place:
        raise NoSuchThingError(
            "This console does not know where champions lie: start it with --champions."
        )
    return place


Place = Annotated[str, Depends(_place)]


def _of_benchmark(benchmark: Name, place: Place) -> Champions:
    champions = champions_of(place, benchmark)
    if not champions.numbers():
        raise NoSuchThingError(f"{benchmark} has no champion yet.")
    return champions


OfBenchmark = Annotated[Champions, Depends(_of_benchmark)]
Number = Annotated[int, Field(ge=1, le=HIGHEST_NUMBER)]


class History(BaseModel):
    """All champions of a benchmark, newest first, and the candidates known to be refused."""

    champions: Sequence[ChampionSummary]
    refused: Sequence[Refusal]


class WayBack(BaseModel):
    """The champion to go back to, why, and over which one, if that matters."""

    to: Number
    reason: Annotated[str, Field(max_length=LONGEST_REASON, pattern=_NOT_BLANK)]
    current: Number | None = None


@router.get("")
def list_benchmarks_with_champions(place: Place) -> list[str]:
    """The benchmarks that have champions."""
    return benchmarks_in(place)


@router.get("/{benchmark}")
def show_champion(
    champions: OfBenchmark, number: Annotated[int | None, Query(ge=1, le=HIGHEST_NUMBER)] = None
) -> ChampionSummary:
    """The champion of a benchmark, or an older one."""
    return champion(champions, number)


@router.get("/{benchmark}/history")
def list_champions(champions: OfBenchmark, place: Place, runs: Runs) -> History:
    """All champions of a benchmark, and the candidates of this machine that were refused."""
    return History(
        champions=[summary(champions, each) for each in champions.history()],
        refused=list(refusals(runs.work_directory, place, champions.benchmark)),
    )


@router.post("/{benchmark}/rollback", status_code=201)
def roll_back_champion(champions: OfBenchmark, way: WayBack) -> ChampionSummary:
    """Make an older champion the champion again, under a new number; nothing is deleted."""
    return rolled_back(champions, way)


def champion(champions: Champions, number: int | None) -> ChampionSummary:
    """A champion by its number; None for the current one.

    Raises:
        NoSuchThingError: If there is none of that number.
        InputError: If its record is damaged.
    """
    numbers = champions.numbers()
    if number is not None and number not in numbers:
        raise NoSuchThingError(f"{champions.benchmark} has no champion {number}.")
    return summary(champions, champions.record(numbers[-1] if number is None else number))


def rolled_back(champions: Champions, way: WayBack) -> ChampionSummary:
    """Go back to an older champion.

    Raises:
        NoSuchThingError: If there is none of that number.
        InputError: If another champion came in between, or it is the champion already.
    """
    champion(champions, way.to)
    current = champions.numbers()[-1]
    if way.current is not None and way.current != current:
        raise InputError(
            f"champion {current} has come meanwhile", hint="Look at the history, and decide again"
        )
    return summary(champions, roll_back(champions, way.to, way.reason.strip()))
