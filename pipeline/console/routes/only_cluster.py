"""The first page of a console that shows the cluster alone."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.console.pages import to_page

router = APIRouter(include_in_schema=False)


@router.get("/")
def index(request: Request) -> Response:
    """The cluster's runs."""
    return to_page(request, "/cluster/runs")
