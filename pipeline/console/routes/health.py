"""Whether the console lives, and whether it can work."""

from __future__ import annotations

import os

from fastapi import APIRouter, HTTPException
from starlette.responses import PlainTextResponse

from pipeline.console.dependencies import Runs

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz() -> PlainTextResponse:
    """The program answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def readyz(runs: Runs) -> PlainTextResponse:
    """The work directory can be used."""
    if not os.access(runs.work_directory, os.W_OK | os.X_OK):
        raise HTTPException(503, "The work directory cannot be written.")
    return PlainTextResponse("ready\n")
