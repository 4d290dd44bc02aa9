"""The pages of a cluster's runs: the list, one run, its steps and what can be done with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pipeline.console.dependencies import CheckedForm, Name, NamedCluster
from pipeline.console.pages import page, to_page
from pipeline.console.routes.run import NEXT_OFFSET
from pipeline.console.step_log import MOST_BYTES
from pipeline.kubeflow_runs import RECURRING_RUN
from pipeline.run_engine import RunRecord

MOST_RUNS = 100
Step = Annotated[str, Path(min_length=1, max_length=200)]
"""A step; it never becomes a part of a path or an address."""

router = APIRouter(prefix="/cluster/runs", include_in_schema=False)


@router.get("")
def index(request: Request, cluster: NamedCluster) -> Response:
    """The newest runs, and which schedule started them."""
    context = {
        "runs": cluster.runs.runs(MOST_RUNS),
        "most": MOST_RUNS,
        "place": cluster.runs.place,
        "schedules": {each.id: each.name for each in cluster.schedule_records()},
        "recurring": RECURRING_RUN,
    }
    return page(request, "cluster_runs.html", context)


def _run(name: Name, cluster: NamedCluster) -> RunRecord:
    return cluster.runs.run(name)


@router.get("/{name}")
def show(request: Request, cluster: NamedCluster, name: Name) -> Response:
    """The run and its steps."""
    context = {
        "run": _run(name, cluster),
        "place": cluster.runs.place,
        "schedules": {each.id: each.name for each in cluster.schedule_records()},
        "recurring": RECURRING_RUN,
    }
    return page(request, "cluster_run.html", context)


@router.get("/{name}/steps")
def steps(request: Request, cluster: NamedCluster, name: Name) -> Response:
    """The part of the page that changes while the run goes on."""
    return page(request, "_cluster_steps.html", {"run": _run(name, cluster)})


@router.get("/{name}/steps/{step}")
def show_step(request: Request, cluster: NamedCluster, name: Name, step: Step) -> Response:
    """One step with its log."""
    run = _run(name, cluster)
    context = {
        "run": run,
        "step": step,
        "chosen": next((each for each in run.steps if each.name == step), None),
        "log": cluster.log_part(name, step, None),
        "most": MOST_BYTES,
    }
    return page(request, "cluster_step.html", context)


@router.get("/{name}/steps/{step}/log")
def log(cluster: NamedCluster, name: Name, step: Step, offset: int = 0) -> Response:
    """What the log has from an offset on; the header says from where to ask next."""
    part = cluster.log_part(name, step, max(0, offset))
    return PlainTextResponse(part.text, headers={NEXT_OFFSET: str(part.next_offset)})


@router.post("/{name}/stop")
def stop(request: Request, cluster: NamedCluster, name: Name, _form: CheckedForm) -> Response:
    """Ask the run to end."""
    cluster.runs.stop(name)
    return to_page(request, f"/cluster/runs/{name}")


@router.post("/{name}/retry")
def retry(request: Request, cluster: NamedCluster, name: Name, _form: CheckedForm) -> Response:
    """Go on where the run failed or was stopped."""
    return to_page(request, f"/cluster/runs/{cluster.runs.retry(name)}")
