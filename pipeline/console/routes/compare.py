"""Two or more runs side by side, as a page and for programs."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from frhead_core.config import MODALITIES
from frhead_core.evaluation.compare_tables import interval_text, p_text, signed
from pipeline.console import comparison
from pipeline.console.comparison import MOST_COMPARED, RunPair
from pipeline.console.dependencies import NAME_PATTERN, Runs, run_folder
from pipeline.console.pages import page
from pipeline.console.routes.api import Failure
from pipeline.console.run_settings import Setting, compared_settings
from pipeline.local_runs import LocalRuns
from pipeline.run_engine import RunRecord
from pipeline.run_folder import RunFolder
from pipeline.run_list import Epoch, accuracy_of
from pipeline.run_records import read_facts

LETTERS = "ABCDEFGH"[:MOST_COMPARED]
CLASSES_LISTED = 10
_Chosen = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
_Runs = Annotated[list[_Chosen], Query(max_length=MOST_COMPARED)]


class RunComparison(BaseModel):
    """Runs side by side: all settings, and paired tests of the first against each other one."""

    runs: list[RunRecord]
    settings: list[Setting]
    pairs: list[RunPair]


pages = APIRouter(include_in_schema=False)
api = APIRouter(
    prefix="/api/v1",
    tags=["runs"],
    responses={status: {"model": Failure} for status in (401, 403, 404)},
)


@api.get("/compare")
def compare(
    runs: Runs,
    run: Annotated[list[_Chosen], Query(min_length=2, max_length=MOST_COMPARED)],
    epoch: Epoch = "last",
) -> RunComparison:
    """Compare two or more runs."""
    records, folders = _opened(runs, run)
    return RunComparison(
        runs=records,
        settings=_settings(folders),
        pairs=comparison.run_pairs(records, folders, epoch),
    )


@pages.get("/compare")
def show(request: Request, runs: Runs, run: _Runs = [], epoch: Epoch = "last") -> Response:  # noqa: B006 - FastAPI copies it
    """The page; with fewer than two runs it says how to choose some."""
    records, folders = _opened(runs, run)
    context: dict[str, Any] = {"runs": records, "epoch": epoch, "most": MOST_COMPARED}
    if len(records) > 1:
        context |= _compared(records, folders, epoch)
    return page(request, "compare.html", context)


def _opened(runs: LocalRuns, names: list[str]) -> tuple[list[RunRecord], list[RunFolder]]:
    """Each run once, in the order in which they were named."""
    folders = [run_folder(name, runs) for name in dict.fromkeys(names)]
    return [runs.run(folder.name) for folder in folders], folders


def _settings(folders: list[RunFolder]) -> list[Setting]:
    return compared_settings([read_facts(folder.path) for folder in folders])


def _compared(records: list[RunRecord], folders: list[RunFolder], epoch: Epoch) -> dict[str, Any]:
    settings = _settings(folders)
    letters = LETTERS[: len(records)]
    return {
        "letters": letters,
        "differing": [each for each in settings if each.differs],
        "equal": [each for each in settings if not each.differs],
        "judged": _judged(records, epoch),
        "pairs": list(zip(letters[1:], comparison.run_pairs(records, folders, epoch), strict=True)),
        "steps": comparison.step_rows(records),
        "charts": comparison.curves(folders, [f"run-{letter.lower()}" for letter in letters]),
        "accuracy_of": accuracy_of,
        "address": lambda epoch: (
            "?" + urlencode([*(("run", each.id) for each in records), ("epoch", epoch)])
        ),
        "signed": signed,
        "p_text": p_text,
        "interval_text": interval_text,
        "most_changed": lambda test: comparison.most_changed(test, CLASSES_LISTED),
    }


def _judged(records: list[RunRecord], epoch: Epoch) -> list[str]:
    names = ("ensemble", *MODALITIES)
    return [
        name
        for name in names
        if any(accuracy_of(record, name, epoch) is not None for record in records)
    ]
