"""The pages of one run: its steps, their logs, and what can be done with it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from pipeline.console.dependencies import CheckedForm, Folder, Name, Record, Runs
from pipeline.console.pages import page
from pipeline.console.step_log import MOST_BYTES, log_part

router = APIRouter(prefix="/runs/{name}", include_in_schema=False)
NEXT_OFFSET = "X-Next-Offset"


@router.get("")
def show(request: Request, run: Record) -> Response:
    """The run and its steps."""
    return page(request, "run.html", {"run": run})


@router.get("/steps")
def steps(request: Request, run: Record) -> Response:
    """The part of the page that changes while the run goes on."""
    return page(request, "_steps.html", {"run": run})


@router.get("/steps/{step}")
def show_step(request: Request, run: Record, folder: Folder, step: Name) -> Response:
    """One step with its log."""
    part = log_part(folder, step)
    chosen = next((each for each in run.steps if each.name == step), None)
    return page(
        request,
        "step.html",
        {"run": run, "step": step, "chosen": chosen, "log": part, "most": MOST_BYTES},
    )


@router.get("/steps/{step}/log")
def log(folder: Folder, step: Name, offset: int = 0) -> Response:
    """What the log has from an offset on; the header says from where to ask next."""
    part = log_part(folder, step, offset)
    return PlainTextResponse(part.text, headers={NEXT_OFFSET: str(part.next_offset)})


@router.post("/stop")
def stop(request: Request, run: Record, runs: Runs, _form: CheckedForm) -> Response:
    """Ask the run to end."""
    runs.stop(run.id)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/runs/{run.id}", status_code=303)
