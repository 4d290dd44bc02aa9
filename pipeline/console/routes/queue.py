"""The pages of what was asked to run: what waits, what runs, what ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.console.dependencies import CheckedForm, Record, Runs
from pipeline.console.pages import page, to_page
from pipeline.console.queue_dependencies import Driver, Entry, Starter
from pipeline.console.queue_entries import QueueEntry
from pipeline.run_folder import RunFolder

router = APIRouter(include_in_schema=False)
MOST_ENDED = 20


@router.get("/queue")
def show(request: Request, starter: Starter, runs: Runs) -> Response:
    """All that waits and runs, and the last that ended."""
    return page(request, "queue.html", _whole_queue(starter, runs))


@router.get("/queue/rows")
def rows(request: Request, starter: Starter, runs: Runs) -> Response:
    """The part of the page that changes."""
    return page(request, "_queue.html", _whole_queue(starter, runs))


@router.get("/queue/{name}")
def show_entry(request: Request, entry: Entry, driver: Driver, runs: Runs) -> Response:
    """One run that was asked for, until it has a page of its own."""
    return page(request, "queue_entry.html", _one(entry, driver, runs))


@router.get("/queue/{name}/state")
def entry_state(request: Request, entry: Entry, driver: Driver, runs: Runs) -> Response:
    """The part of its page that changes."""
    return page(request, "_queue_entry.html", _one(entry, driver, runs))


@router.post("/queue/{name}/first")
def move_first(request: Request, entry: Entry, starter: Starter, _form: CheckedForm) -> Response:
    """Let it be the next."""
    starter.queue.move_first(entry.name)
    return to_page(request, "/queue")


@router.post("/queue/{name}/withdraw")
def withdraw(request: Request, entry: Entry, starter: Starter, _form: CheckedForm) -> Response:
    """Forget it, if it waits."""
    starter.queue.withdraw(entry.name)
    return to_page(request, "/queue")


@router.post("/queue/{name}/stop")
def stop(request: Request, entry: Entry, driver: Driver, _form: CheckedForm) -> Response:
    """Ask it to end, if it runs."""
    driver.stop_run(entry)
    return to_page(request, f"/queue/{entry.name}")


@router.post("/queue/{name}/retry")
def retry_entry(request: Request, entry: Entry, starter: Starter, _form: CheckedForm) -> Response:
    """Ask again for a run that ended before it had a record."""
    return to_page(request, f"/queue/{starter.retry_entry(entry).name}")


@router.post("/runs/{name}/retry")
def retry(request: Request, run: Record, starter: Starter, _form: CheckedForm) -> Response:
    """Ask again for a run, which goes on where it failed or was stopped."""
    return to_page(request, f"/queue/{starter.retry(run).name}")


def _whole_queue(starter: Starter, runs: Runs) -> dict[str, Any]:
    entries = starter.queue.in_state("running", "queued")
    ended = starter.queue.ended(MOST_ENDED)
    recorded = {each.name for each in (*entries, *ended) if _has_record(each, runs)}
    waiting = [each for each in entries if each.state == "queued"]
    going = [each for each in entries if each.state == "running"]
    return {"entries": [*going, *waiting], "ended": ended, "recorded": recorded}


def _one(entry: QueueEntry, driver: Driver, runs: Runs) -> dict[str, Any]:
    return {
        "entry": entry,
        "recorded": _has_record(entry, runs),
        "output": driver.process(entry.name).output(),
    }


def _has_record(entry: QueueEntry, runs: Runs) -> bool:
    return RunFolder(runs.work_directory / entry.name).is_recorded
