"""The pages of one run: its steps, their logs and artifacts, and what can be done with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from pipeline.console.artifact_files import NotAnArtifactError, artifact_place, is_text
from pipeline.console.dag_steps import prepare_definition
from pipeline.console.dependencies import CheckedForm, Folder, Name, Record, Runs
from pipeline.console.pages import page, to_page
from pipeline.console.run_page import about, live
from pipeline.console.step_log import MOST_BYTES, log_part
from pipeline.console.step_page import output_place, step_details, value_text


@asynccontextmanager
async def _prepared(_app: object) -> AsyncIterator[None]:
    """Nobody has to wait for the first graph."""
    prepare_definition()
    yield


router = APIRouter(prefix="/runs/{name}", include_in_schema=False, lifespan=_prepared)
NEXT_OFFSET = "X-Next-Offset"


@router.get("")
def show(request: Request, run: Record, folder: Folder, runs: Runs) -> Response:
    """The run and its steps."""
    context = {"run": run, "live": live(run, folder), "about": about(folder, runs.work_directory)}
    return page(request, "run.html", context)


@router.get("/steps")
def steps(request: Request, run: Record, folder: Folder) -> Response:
    """The part of the page that changes while the run goes on."""
    return page(request, "_run_live.html", {"run": run, "live": live(run, folder)})


@router.get("/steps/{step}")
def show_step(request: Request, run: Record, folder: Folder, step: Name) -> Response:
    """One step with its log."""
    part = log_part(folder, step)
    more = {"log": part, "most": MOST_BYTES, "value_text": value_text}
    return page(request, "step.html", _step_context(run, folder, step) | more)


@router.get("/steps/{step}/state")
def step_state(request: Request, run: Record, folder: Folder, step: Name) -> Response:
    """The part of a step's page that changes while it goes on, but for the log."""
    return page(request, "_step_live.html", _step_context(run, folder, step))


@router.get("/steps/{step}/log")
def log(folder: Folder, step: Name, offset: int = 0) -> Response:
    """What the log has from an offset on; the header says from where to ask next."""
    part = log_part(folder, step, offset)
    return PlainTextResponse(part.text, headers={NEXT_OFFSET: str(part.next_offset)})


@router.get("/steps/{step}/artifacts/{output}")
def open_artifact(folder: Folder, step: Name, output: Name, path: str = "") -> Response:
    """A small text among the files of an artifact, as text whatever is in it."""
    place = artifact_place(folder, output_place(folder, step, output), path)
    if not place.is_file() or not is_text(place):
        raise NotAnArtifactError("This is no text to look at here: download it.")
    return FileResponse(place, media_type="text/plain; charset=utf-8")


@router.get("/steps/{step}/artifacts/{output}/download")
def download_artifact(folder: Folder, step: Name, output: Name, path: str = "") -> Response:
    """A file of an artifact, for keeping."""
    return file_to_keep(folder, step, output, path)


@router.post("/stop")
def stop(request: Request, run: Record, runs: Runs, _form: CheckedForm) -> Response:
    """Ask the run to end."""
    runs.stop(run.id)
    return to_page(request, f"/runs/{run.id}")


def file_to_keep(folder: Folder, step: str, output: str, path: str) -> Response:
    """A file of an artifact, which no browser shows.

    Raises:
        NotAnArtifactError: If the step made no such file, or it is not there any more.
    """
    place = artifact_place(folder, output_place(folder, step, output), path)
    if not place.is_file():
        raise NotAnArtifactError("This is no file.")
    name = place.name if path else f"{step}-{output}"
    return FileResponse(place, media_type="application/octet-stream", filename=name)


def _step_context(run: Record, folder: Folder, step: str) -> dict[str, object]:
    if not (folder.steps / step).is_dir():
        raise NotAnArtifactError(f"The run {folder.name} has no step {step}.")
    chosen = next((each for each in run.steps if each.name == step), None)
    return {"run": run, "step": step, "chosen": chosen, "details": step_details(folder, step)}
