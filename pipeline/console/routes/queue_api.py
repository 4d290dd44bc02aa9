"""The REST API of the queue."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from pipeline.console.dependencies import Record
from pipeline.console.queue_dependencies import Driver, Entry, Starter
from pipeline.console.queue_entries import QueueEntry
from pipeline.console.routes.api import Failure


class Output(BaseModel):
    """The end of what a run's process wrote beside the logs of its steps."""

    text: str


router = APIRouter(
    prefix="/api/v1",
    tags=["queue"],
    responses={status: {"model": Failure} for status in (401, 403, 404)},
)
_CONFLICT: dict[int | str, dict[str, type[Failure]]] = {409: {"model": Failure}}


@router.get("/queue")
def list_queue(starter: Starter) -> list[QueueEntry]:
    """What runs and what waits, in the order of the queue."""
    return starter.queue.in_state("running", "queued")


@router.get("/queue/{name}")
def show_entry(entry: Entry) -> QueueEntry:
    """One run that was asked for, whatever became of it."""
    return entry


@router.get("/queue/{name}/output")
def show_output(entry: Entry, driver: Driver) -> Output:
    """What its process wrote, which says why it failed before its first step."""
    return Output(text=driver.process(entry.name).output())


@router.delete("/queue/{name}", status_code=204, responses=_CONFLICT)
def withdraw(entry: Entry, starter: Starter) -> None:
    """Forget a run that waits."""
    _refuse_unless(starter.queue.withdraw(entry.name), entry, "waits")


@router.post("/queue/{name}/first", responses=_CONFLICT)
def move_first(entry: Entry, starter: Starter) -> QueueEntry:
    """Let a run that waits be the next."""
    _refuse_unless(starter.queue.move_first(entry.name), entry, "waits")
    return starter.queue.entry(entry.name)


@router.post("/queue/{name}/stop", status_code=202, responses=_CONFLICT)
def stop(entry: Entry, driver: Driver) -> QueueEntry:
    """Ask a run to end; what it has finished is kept."""
    _refuse_unless(driver.stop_run(entry), entry, "runs")
    return entry


@router.post("/queue/{name}/retry", status_code=202)
def retry_entry(entry: Entry, starter: Starter) -> QueueEntry:
    """Ask again for a run that ended before it had a record."""
    return starter.retry_entry(entry)


@router.post("/runs/{name}/retry", status_code=202)
def retry(run: Record, starter: Starter) -> QueueEntry:
    """Ask again for a run that failed or was stopped; what it has finished is not repeated."""
    return starter.retry(run)


def _refuse_unless(done: bool, entry: QueueEntry, expected: str) -> None:
    if not done:
        raise HTTPException(
            409, f"{entry.name} is {entry.state}: only what {expected} can do that."
        )
