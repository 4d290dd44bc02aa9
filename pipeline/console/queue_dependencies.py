"""What routes ask for to start runs: the queue, what looks after it, and what fills it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from pipeline.console.dependencies import Name
from pipeline.console.new_run_data import Uploads
from pipeline.console.new_run_start import RunStarter
from pipeline.console.queue_driver import QueueDriver
from pipeline.console.queue_entries import QueueEntry


def _driver(request: Request) -> QueueDriver:
    driver: QueueDriver = request.app.state.queue_driver
    return driver


def _starter(request: Request) -> RunStarter:
    starter: RunStarter = request.app.state.run_starter
    return starter


Driver = Annotated[QueueDriver, Depends(_driver)]
Starter = Annotated[RunStarter, Depends(_starter)]


def _entry(name: Name, starter: Starter) -> QueueEntry:
    return starter.queue.entry(name)


def _uploads(starter: Starter) -> Uploads:
    return Uploads(starter.folder)


Entry = Annotated[QueueEntry, Depends(_entry)]
UploadFolder = Annotated[Uploads, Depends(_uploads)]
