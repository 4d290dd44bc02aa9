"""The page of all runs: filtered, sorted, page by page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import partial
from typing import Any, get_args

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.console.comparison import MOST_COMPARED
from pipeline.console.dependencies import Runs
from pipeline.console.pages import page
from pipeline.console.run_query import Asked, address
from pipeline.local_runs import LocalRuns
from pipeline.run_engine import RunState
from pipeline.run_list import JUDGED, TEXT_KEYS, RunQuery, accuracy_of, run_page

COLUMNS = {
    "run": "Run",
    "status": "Status",
    "benchmark": "Benchmark",
    "backbone": "Backbone",
    "ensemble": "Ensemble",
    "joint": "Joint",
    "bone": "Bone",
    "joint_motion": "Joint motion",
    "bone_motion": "Bone motion",
    "started": "Started",
    "duration": "Duration",
    "started_by": "By",
}

router = APIRouter(include_in_schema=False)


@router.get("/")
def index(request: Request, runs: Runs, query: Asked) -> Response:
    """The runs that are asked for; all of them, newest first, without more."""
    return page(request, "runs.html", _context(runs, query))


@router.get("/list")
def listed(request: Request, runs: Runs, query: Asked) -> Response:
    """The part of the page that changes while runs go on."""
    return page(request, "_runs.html", _context(runs, query))


def _context(runs: LocalRuns, query: RunQuery) -> dict[str, Any]:
    every = runs.all_runs()
    found = run_page(every, query)
    if query.page > found.pages:  # there were more runs when the link was made
        query = dataclasses.replace(query, page=found.pages)
        found = run_page(every, query)
    states = {run.state for run in every} | {query.status}
    return {
        "query": query,
        "address": partial(address, query),
        "found": found,
        "first": (query.page - 1) * query.per_page + 1,
        "all": len(every),
        "damaged": sum(run.state == "unknown" for run in every),
        "states": [state for state in get_args(RunState) if state in states],
        "benchmarks": _named(query.benchmark, (run.benchmark for run in every)),
        "backbones": _named(query.backbone, (run.backbone for run in every)),
        "columns": COLUMNS,
        "judged": JUDGED,
        "first_order": {key: "asc" if key in TEXT_KEYS else "desc" for key in COLUMNS},
        "usual": RunQuery(),
        "most_compared": MOST_COMPARED,
        "accuracy_of": accuracy_of,
    }


def _named(chosen: str, there: Iterable[str]) -> list[str]:
    return sorted({chosen, *there} - {""})
