"""Times for people: in the zone of this machine, which is named."""

from __future__ import annotations

from datetime import datetime


def time_text(moment: datetime) -> str:
    """A moment in the local zone: ``2026-03-01 04:05:06 CET``; without a zone it is UTC's."""
    aware = moment.astimezone()
    return f"{aware:%Y-%m-%d %H:%M:%S} {aware.tzname()}"
