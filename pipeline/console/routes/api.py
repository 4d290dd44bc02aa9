"""The REST API: what the pages show and do, for programs."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from pipeline.console.dependencies import Folder, Name, Record, Runs
from pipeline.console.run_query import Asked
from pipeline.console.step_log import log_part
from pipeline.run_engine import RunRecord
from pipeline.run_list import run_page

MOST_RUNS = 2000
LARGEST_OFFSET = 2**62


class Failure(BaseModel):
    """Why a request was refused."""

    detail: str


class RunList(BaseModel):
    """A page of a list of runs: ``found`` are on all of its ``pages``."""

    runs: list[RunRecord]
    found: int
    page: int
    pages: int


class Log(BaseModel):
    """A piece of a step's log; ``next_offset`` is where the next one begins, in bytes."""

    text: str
    next_offset: int


router = APIRouter(
    prefix="/api/v1",
    tags=["runs"],
    responses={status: {"model": Failure} for status in (401, 403, 404)},
)


@router.get("/runs")
def list_runs(
    runs: Runs, query: Asked, per_page: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 100
) -> RunList:
    """Runs without their steps; the newest first, if nothing else is asked for."""
    query = dataclasses.replace(query, per_page=per_page)
    found = run_page(runs.all_runs(), query)
    return RunList(runs=found.runs, found=found.found, page=query.page, pages=found.pages)


@router.get("/runs/{name}")
def show_run(run: Record) -> RunRecord:
    """One run with its steps."""
    return run


@router.get("/runs/{name}/steps/{step}/log")
def show_log(
    folder: Folder, step: Name, offset: Annotated[int, Query(ge=0, le=LARGEST_OFFSET)] = 0
) -> Log:
    """What a step has written, from an offset on."""
    part = log_part(folder, step, offset)
    return Log(text=part.text, next_offset=part.next_offset)


@router.post("/runs/{name}/stop", status_code=202)
def stop_run(run: Record, runs: Runs) -> RunRecord:
    """Ask a run to end; what it has finished is kept."""
    runs.stop(run.id)
    return run
