"""The pages of schedules: what recurs on the cluster, and a file that declares more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from frhead_core.errors import InputError, RecipeError
from pipeline.console.cluster import FILE_NAME, RUNS_SEARCHED, Cluster, schedules_of
from pipeline.console.dependencies import CheckedForm, NamedCluster, PossibleCluster
from pipeline.console.failures import NoSuchThingError
from pipeline.console.pages import page, to_page
from pipeline.console.routes.schedules_api import MOST_CHARACTERS, ScheduleId
from pipeline.cron import both_zones, cron_text, next_times
from pipeline.schedule_file import ScheduleFile
from pipeline.schedule_records import ScheduleRecord
from pipeline.schedules import Applied

_RUNS_SHOWN = 3
_NEXT = 3
_DONE = {"pause": "paused", "resume": "resumed", "delete": "deleted"}
_EXAMPLE = """\
time_zone: {zone}
schedules:
  nightly:
    cron: "0 30 2 * * 1-5"        # second minute hour day month weekday
    benchmark: nw-ucla
    raw: [s3://datasets/all_sqe.zip]
    champions: s3://models/champions
"""

Outcome = tuple[Applied, tuple[str, list[datetime]] | None]
"""What became of a schedule, and when it is due."""
router = APIRouter(prefix="/schedules", include_in_schema=False)


@router.get("")
def index(request: Request, cluster: PossibleCluster) -> Response:
    """All recurring runs; without a cluster, how one machine does the same."""
    if cluster is None:
        directory = request.app.state.settings.work_directory.resolve()
        return page(request, "schedules_none.html", {"work_directory": directory})
    context = {
        "schedules": cluster.schedule_records(),
        "runs": cluster.newest_runs(),
        "shown": _RUNS_SHOWN,
        "searched": RUNS_SEARCHED,
        "place": cluster.runs.place,
        "both_zones": both_zones,
    }
    return page(request, "schedules.html", context)


@router.get("/new")
def new(request: Request, cluster: NamedCluster) -> Response:
    """The form for a file."""
    return _form_page(request, cluster, _EXAMPLE.format(zone=cluster.zone.key))


@router.post("/new")
def take(request: Request, cluster: NamedCluster, form: CheckedForm) -> Response:
    """Check a file, and apply it if that was asked for."""
    text = ""
    outcome: list[Outcome] = []
    dry = form.get("do") != "apply"
    try:
        text = _text_of(form)
        declared = schedules_of(text)[0]
        for each in cluster.apply(text, prune=False, dry=dry):
            outcome.append((each, _due(declared, each.name)))
    except InputError as error:
        return _form_page(request, cluster, text, outcome, dry=dry, mistake=error)
    return _form_page(request, cluster, text, outcome, dry=dry)


@router.get("/{schedule}/delete")
def ask(request: Request, cluster: NamedCluster, schedule: ScheduleId) -> Response:
    """Whether it is really to be deleted."""
    context = {"schedule": _record(cluster, schedule), "place": cluster.runs.place}
    return page(request, "schedule_delete.html", context)


@router.post("/{schedule}/{verb}")
def change(
    request: Request, cluster: NamedCluster, schedule: ScheduleId, verb: str, _form: CheckedForm
) -> Response:
    """Pause, resume or delete a schedule."""
    if verb not in _DONE:
        raise NoSuchThingError(f"A schedule cannot be asked to {verb}.")
    getattr(cluster.schedules, verb)(schedule)
    return to_page(request, "/schedules")


def _record(cluster: Cluster, schedule: str) -> ScheduleRecord:
    found = [each for each in cluster.schedule_records() if each.id == schedule]
    if not found:
        raise NoSuchThingError(f"There is no schedule {schedule}.")
    return found[0]


def _due(declared: ScheduleFile, name: str) -> tuple[str, list[datetime]] | None:
    """When a schedule is due: in words, and the next times; None if the file does not have it."""
    if name not in declared.schedules:
        return None
    cron, zone = declared.schedules[name].cron, declared.zone
    return f"{cron_text(cron)}, in {zone.key}", next_times(cron, zone, _NEXT)


def _text_of(form: FormData) -> str:
    """The file that was sent; without one, what stands in the field."""
    file, text = form.get("file"), form.get("text")
    if isinstance(file, UploadFile) and file.filename:
        content = file.file.read(MOST_CHARACTERS + 1)
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise RecipeError("is not UTF-8 text", file=FILE_NAME) from None
    text = text if isinstance(text, str) else ""
    if len(text) > MOST_CHARACTERS:
        raise RecipeError(
            "is too long", file=FILE_NAME, expected=f"at most {MOST_CHARACTERS} characters"
        )
    return text


def _form_page(
    request: Request,
    cluster: Cluster,
    text: str,
    outcome: list[Outcome] | None = None,
    *,
    dry: bool = True,
    mistake: InputError | None = None,
) -> Response:
    context: dict[str, Any] = {
        "text": text,
        "outcome": outcome or [],
        "dry": dry,
        "mistake": mistake,
        "place": cluster.runs.place,
        "both_zones": both_zones,
    }
    return page(request, "schedule_new.html", context, 422 if mistake else 200)
