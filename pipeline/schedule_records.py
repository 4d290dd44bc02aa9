"""Recurring runs of a cluster: what is said of one, in the terms of a declared schedule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from frhead_core.errors import RecipeError
from pipeline.cron import check_cron, cron_text, next_times
from pipeline.schedules import mark_of

_NEXT = 3


@dataclass(frozen=True)
class ScheduleRecord:
    """One recurring run.

    Attributes:
        id: By which it is asked for.
        name: For people; several can have the same.
        paused: Whether it starts no runs until it is resumed.
        declared: Whether a file declared it; others were made by other means.
        cron: Its expression; empty if it has none.
        when: That in words, with the zone.
        next_times: When it is due, in the zone of the scheduler; none while it is paused, and none
            if only the cluster understands its expression.
        at_a_time: How many of its runs at most.
        catch_up: Whether runs that were missed are made up for.
        benchmark: What it trains, by the name of the recipe; empty if that is not known.
        title: Of the benchmark, for people.
        modalities: Which it trains.
        raw: Raw data, with commas between.
        champions: Where champions lie; empty to compare with none.
        error: What the cluster says is wrong with it.
    """

    id: str
    name: str
    paused: bool
    declared: bool
    cron: str
    when: str
    next_times: tuple[datetime, ...]
    at_a_time: str
    catch_up: bool
    benchmark: str = ""
    title: str = ""
    modalities: tuple[str, ...] = ()
    raw: str = ""
    champions: str = ""
    error: str = ""


def schedule_record(run: Any, zone: ZoneInfo) -> ScheduleRecord:
    """What there is to say of a recurring run.

    Args:
        run: As the API tells of it.
        zone: Of the cluster's scheduler.
    """
    cron, when, known = _trigger(run.trigger, zone)
    paused = run.status != "ENABLED"
    return ScheduleRecord(
        id=str(run.recurring_run_id),
        name=str(run.display_name),
        paused=paused,
        declared=mark_of(run) is not None,
        cron=cron,
        when=when,
        next_times=tuple(next_times(cron, zone, _NEXT)) if known and not paused else (),
        at_a_time=str(run.max_concurrency or ""),
        catch_up=not run.no_catchup,
        error=str(run.error.message or "") if run.error else "",
        **_what(run.runtime_config.parameters if run.runtime_config else None),
    )


def _trigger(trigger: Any, zone: ZoneInfo) -> tuple[str, str, bool]:
    """Its cron expression, when that is in words, and whether we understand it."""
    if trigger and trigger.cron_schedule and trigger.cron_schedule.cron:
        cron = str(trigger.cron_schedule.cron)
        try:
            return cron, f"{cron_text(check_cron(cron))}, in {zone.key}", True
        except RecipeError:  # made by other means, and known to the cluster alone
            return cron, cron, False
    if trigger and trigger.periodic_schedule:
        return "", f"every {trigger.periodic_schedule.interval_second} seconds", False
    return "", "", False


def _what(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """What its runs do, as far as they are runs of ours."""
    given = parameters or {}
    try:
        recipe = json.loads(given["recipe"])
        modalities = tuple(str(each["modality"]) for each in given["trainings"])
        benchmark, title = str(recipe["name"]), str(recipe["title"])
    except (KeyError, TypeError, ValueError):  # another pipeline, or another version of ours
        benchmark, title, modalities = "", "", ()
    return {
        "benchmark": benchmark,
        "title": title,
        "modalities": modalities,
        "raw": str(given.get("raw") or ""),
        "champions": str(given.get("champions") or ""),
    }
