"""The runs of a cluster, for programs: as those of this machine, below ``/cluster``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from pipeline.console.dependencies import Name, NamedCluster
from pipeline.console.routes.api import LARGEST_OFFSET, MOST_RUNS, Failure, Log
from pipeline.console.routes.cluster import Step
from pipeline.run_engine import RunRecord

router = APIRouter(
    prefix="/api/v1/cluster/runs",
    tags=["runs of the cluster"],
    responses={status: {"model": Failure} for status in (401, 403, 404, 503)},
)


@router.get("")
def list_runs_of_cluster(
    cluster: NamedCluster, limit: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 100
) -> list[RunRecord]:
    """The newest runs, newest first, without their steps."""
    return cluster.runs.runs(limit)


@router.get("/{name}")
def show_run_of_cluster(cluster: NamedCluster, name: Name) -> RunRecord:
    """One run with its steps."""
    return cluster.runs.run(name)


@router.get("/{name}/steps/{step}/log")
def show_log_of_cluster(
    cluster: NamedCluster,
    name: Name,
    step: Step,
    offset: Annotated[int, Query(ge=0, le=LARGEST_OFFSET)] = 0,
) -> Log:
    """What a step has written, from an offset on."""
    part = cluster.log_part(name, step, offset)
    return Log(text=part.text, next_offset=part.next_offset)


@router.post("/{name}/stop", status_code=202)
def stop_run_of_cluster(cluster: NamedCluster, name: Name) -> RunRecord:
    """Ask a run to end; what it has finished is kept."""
    cluster.runs.stop(name)
    return cluster.runs.run(name)


@router.post("/{name}/retry", status_code=202)
def retry_run_of_cluster(cluster: NamedCluster, name: Name) -> RunRecord:
    """Go on with a run that failed or was stopped."""
    return cluster.runs.run(cluster.runs.retry(name))
