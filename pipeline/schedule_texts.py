"""Schedules as text for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.cron import both_zones, explained
from pipeline.schedule_file import ScheduleFile
from pipeline.schedule_records import ScheduleRecord, schedule_record
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
    rows = [_row(schedule_record(run, zone)) for run in runs]
    return columns([("schedule", "state", "at a time", "when"), *rows]) if rows else "no schedules"


def _row(schedule: ScheduleRecord) -> tuple[str, str, str, str]:
    state = "paused" if schedule.paused else "active"
    return schedule.name, state, schedule.at_a_time, _when(schedule)


def _when(schedule: ScheduleRecord) -> str:
    cron = f"{schedule.cron}: " if schedule.cron != schedule.when else ""
    due = f"; next: {both_zones(schedule.next_times[0])}" if schedule.next_times else ""
    return f"{cron if schedule.cron else ''}{schedule.when}{due}"
