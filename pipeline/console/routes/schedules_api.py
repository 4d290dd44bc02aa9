"""The schedules of a cluster, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from pipeline.console.dependencies import NamedCluster
from pipeline.console.routes.api import Failure
from pipeline.schedule_records import ScheduleRecord
from pipeline.schedules import Applied

MOST_CHARACTERS = 256 * 1024
ScheduleId = Annotated[str, Path(min_length=1, max_length=200)]
"""Name or id of a schedule; it is compared, and never becomes a part of an address."""

router = APIRouter(
    prefix="/api/v1/schedules",
    tags=["schedules"],
    responses={status: {"model": Failure} for status in (401, 403, 404, 503)},
)


class DeclaredSchedules(BaseModel):
    """The text of a file of schedules, and what to do with it."""

    yaml: Annotated[str, Field(max_length=MOST_CHARACTERS)]
    prune: bool = False
    dry_run: bool = False


class Done(BaseModel):
    """What was done with a schedule."""

    schedule: str
    done: str


@router.get("")
def list_schedules(cluster: NamedCluster) -> Sequence[ScheduleRecord]:
    """All recurring runs, with the next times of those that are active."""
    return cluster.schedule_records()


@router.post("")
def apply_schedules(cluster: NamedCluster, declared: DeclaredSchedules) -> Sequence[Applied]:
    """Bring the cluster to what a file declares; a second time changes nothing."""
    return list(cluster.apply(declared.yaml, prune=declared.prune, dry=declared.dry_run))


@router.post("/{schedule}/pause")
def pause_schedule(cluster: NamedCluster, schedule: ScheduleId) -> Done:
    """Start no more runs of a schedule until it is resumed."""
    cluster.schedules.pause(schedule)
    return Done(schedule=schedule, done="paused")


@router.post("/{schedule}/resume")
def resume_schedule(cluster: NamedCluster, schedule: ScheduleId) -> Done:
    """Start runs of a schedule again."""
    cluster.schedules.resume(schedule)
    return Done(schedule=schedule, done="resumed")


@router.delete("/{schedule}")
def delete_schedule(cluster: NamedCluster, schedule: ScheduleId) -> Done:
    """Delete a schedule; its runs stay."""
    cluster.schedules.delete(schedule)
    return Done(schedule=schedule, done="deleted")
