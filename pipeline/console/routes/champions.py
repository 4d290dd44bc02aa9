"""The pages of champions: who it is for each benchmark, how it came about, and going back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from frhead_core.errors import FRHeadError, InputError
from pipeline.console.champion_history import (
    ChampionSummary,
    Refusal,
    benchmarks_in,
    champions_of,
    refusals,
    summary,
)
from pipeline.console.dependencies import CheckedForm, Name, Runs
from pipeline.console.pages import page, to_page
from pipeline.console.routes.champions_api import (
    HIGHEST_NUMBER,
    LONGEST_REASON,
    OfBenchmark,
    Place,
    WayBack,
    champion,
    rolled_back,
)
from pipeline.run_folder import RunFolder

router = APIRouter(prefix="/champions", include_in_schema=False)
To = Annotated[int, Query(ge=1, le=HIGHEST_NUMBER)]


@router.get("")
def index(request: Request) -> Response:
    """The champion of each benchmark."""
    place: str = request.app.state.settings.champions
    if not place:
        return page(request, "champions_none.html", {})
    current: dict[str, ChampionSummary] = {}
    broken: list[str] = []
    for benchmark in benchmarks_in(place):
        champions = champions_of(place, benchmark)
        try:
            if champions.numbers():
                current[benchmark] = champion(champions, None)
        except FRHeadError as error:  # the others are there all the same
            broken.append(str(error))
    return page(request, "champions.html", {"current": current, "broken": broken, "place": place})


@router.get("/{benchmark}")
def show(request: Request, champions: OfBenchmark, place: Place, runs: Runs) -> Response:
    """The champion, and all that were it or wanted to be it, newest first."""
    accepted = [summary(champions, each) for each in champions.history()]
    refused = list(refusals(runs.work_directory, place, champions.benchmark))
    both: list[ChampionSummary | Refusal] = [*accepted, *refused]
    context = {
        "benchmark": champions.benchmark,
        "champion": accepted[0],
        "entries": sorted(both, key=lambda entry: entry.created, reverse=True),
        "is_refusal": lambda entry: isinstance(entry, Refusal),
        "is_here": lambda run: RunFolder(runs.work_directory / _one_name(run)).is_recorded,
        "place": place,
    }
    return page(request, "champion.html", context)


@router.get("/{benchmark}/rollback")
def ask(request: Request, champions: OfBenchmark, to: To) -> Response:
    """Whether to go back to an older champion, and why."""
    context = {
        "older": champion(champions, to),
        "champion": champion(champions, None),
        "reason": "",
        "mistake": "",
        "longest": LONGEST_REASON,
    }
    return page(request, "champion_rollback.html", context)


@router.post("/{benchmark}/rollback")
def take(request: Request, benchmark: Name, champions: OfBenchmark, form: CheckedForm) -> Response:
    """Go back, unless something speaks against it."""
    try:
        way = WayBack.model_validate({name: form.get(name) for name in ("to", "reason", "current")})
        rolled_back(champions, way)
    except ValidationError as error:
        fields = {str(problem["loc"][0]) for problem in error.errors()}
        if fields != {"reason"}:
            raise InputError("the form is not complete", field=", ".join(sorted(fields))) from None
        mistake = f"Say why, in at most {LONGEST_REASON} characters."
    except InputError as error:
        mistake = str(error)
    else:
        return to_page(request, f"/champions/{benchmark}")
    number = str(form.get("to"))
    context = {
        "older": champion(champions, int(number) if number.isascii() and number.isdigit() else 0),
        "champion": champion(champions, None),
        "reason": str(form.get("reason", "")),
        "mistake": mistake,
        "longest": LONGEST_REASON,
    }
    return page(request, "champion_rollback.html", context, 422)


def _one_name(run: str) -> str:
    """The name, if it is that of a folder and no path."""
    return run if run and "/" not in run and "\0" not in run else "."
