"""Times for people, in the zone of this machine, and lengths of time."""

from __future__ import annotations

from datetime import datetime

from frhead_core.progress import format_duration


def time_text(moment: datetime) -> str:
    """A moment in the local zone: ``2026-03-01 04:05:06 CET``; without a zone it is UTC's."""
    aware = moment.astimezone()
    return f"{aware:%Y-%m-%d %H:%M:%S} {aware.tzname()}"


def duration_text(started: datetime | None, ended: datetime | None) -> str:
    """How long something took; until now while it goes on, and empty before it starts."""
    if started is None:
        return ""
    return format_duration(((ended or datetime.now(started.tzinfo)) - started).total_seconds())
