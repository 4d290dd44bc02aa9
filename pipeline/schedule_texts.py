"""Schedules as text for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from frhead_core.errors import RecipeError
from pipeline.cron import check_cron, explained
from pipeline.schedule_file import ScheduleFile
from pipeline.text_tables import columns


def declared_text(declared: ScheduleFile) -> str:
    """What a file declares, and when that is due."""
    rows = [
        (name, schedule.cron, explained(schedule.cron, declared.zone))
        for name, schedule in declared.schedules.items()
    ]
    return columns(rows) if rows else "no schedules"


def recurring_runs_text(runs: Iterable[Any], zone: ZoneInfo) -> str:
    """A row for each recurring run of a cluster.

    Args:
        runs: As the API tells of them.
        zone: Of the cluster's scheduler.
    """
    rows = [
        (
            str(run.display_name),
            "active" if run.status == "ENABLED" else "paused",
            str(run.max_concurrency or ""),
            _when(run.trigger, zone),
        )
        for run in runs
    ]
    return columns([("schedule", "state", "at a time", "when"), *rows]) if rows else "no schedules"


def _when(trigger: Any, zone: ZoneInfo) -> str:
    if trigger and trigger.cron_schedule and trigger.cron_schedule.cron:
        cron = str(trigger.cron_schedule.cron)
        try:
            return f"{cron}: {explained(check_cron(cron), zone, count=1)}"
        except RecipeError:  # made by other means, and known to the cluster alone
            return cron
    if trigger and trigger.periodic_schedule:
        return f"every {trigger.periodic_schedule.interval_second} seconds"
    return ""
