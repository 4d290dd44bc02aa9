"""The page of all runs."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.console.dependencies import Runs
from pipeline.console.pages import page

router = APIRouter(include_in_schema=False)
MOST_RUNS = 100


@router.get("/")
def index(request: Request, runs: Runs) -> Response:
    """The newest runs."""
    return page(request, "runs.html", {"runs": runs.runs(MOST_RUNS), "most": MOST_RUNS})
