"""Cron expressions of Kubeflow Pipelines: checked, said in words, and when they are due.

They have six fields, the first of them seconds, and hold in the time zone of the cluster's
scheduler. A usual line of five fields would be misread there (its minutes as seconds), so it is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from cron_descriptor import CasingTypeEnum, Options, get_description
from croniter import croniter
from croniter.croniter import CroniterError

from frhead_core.errors import RecipeError
from pipeline.local_time import time_text

FIELDS = ("second", "minute", "hour", "day of month", "month", "day of week")
_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
_VALUES = (r"\d+", r"\d+", r"\d+", r"\d+", rf"\d+|{_MONTHS}", rf"[0-6]|{_DAYS}")


def check_cron(expression: str) -> str:
    """The expression, if a cluster understands it as it is meant.

    Raises:
        RecipeError: If it has not six fields, or one of them is not valid.
    """
    fields = expression.split()
    if len(fields) != len(FIELDS):
        hint = "Put the seconds first: 0 " + expression if len(fields) == 5 else None
        raise RecipeError(
            "a cron expression of Kubeflow Pipelines has six fields",
            found=f"{len(fields)} in {expression!r}",
            expected=", ".join(FIELDS),
            hint=hint,
        )
    for name, values, text in zip(FIELDS, _VALUES, fields, strict=True):
        span = rf"(?:\*|\?|(?:{values})(?:-(?:{values}))?)(?:/[1-9]\d*)?"
        if not re.fullmatch(rf"{span}(?:,{span})*", text, re.IGNORECASE):
            raise RecipeError(f"the {name} is not valid", found=f"{text!r} in {expression!r}")
    try:
        next(_times(expression, datetime.now(ZoneInfo("UTC"))))
    except CroniterError as error:
        raise RecipeError(
            "is no time that ever comes", found=repr(expression), hint=f"{error}"
        ) from error
    return expression


def cron_text(expression: str) -> str:
    """A checked expression in words: ``at 02:30, Monday through Friday``."""
    options = Options()
    options.use_24hour_time_format = True
    options.casing_type = CasingTypeEnum.LowerCase
    # With six fields it takes the first for seconds, and "?" for what is not restricted.
    text = str(get_description(expression.replace("?", "*"), options))
    return re.sub(rf"\b({_long_names()})\b", lambda name: name.group().capitalize(), text)


def next_times(
    expression: str, zone: ZoneInfo, count: int, after: datetime | None = None
) -> list[datetime]:
    """When a checked expression is due next, in its zone.

    Args:
        expression: Six fields.
        zone: Of the scheduler.
        count: How many times.
        after: From when on; None for now.
    """
    times = _times(expression, (after or datetime.now(zone)).astimezone(zone))
    return [next(times) for _ in range(count)]


def explained(
    expression: str, zone: ZoneInfo, count: int = 3, after: datetime | None = None
) -> str:
    """Words, zone and next times of a checked expression, those in the local zone as well."""
    due = [both_zones(each) for each in next_times(expression, zone, count, after)]
    return f"{cron_text(expression)}, in {zone.key}; next: {', '.join(due)}"


def both_zones(moment: datetime) -> str:
    """A moment in its own zone, and in the local one where that differs."""
    there, here = f"{moment:%Y-%m-%d %H:%M:%S %Z}", time_text(moment)
    return there if there == here else f"{there} ({here})"


def _times(expression: str, start: datetime) -> Iterator[datetime]:
    due = croniter(expression.replace("?", "*"), start, second_at_beginning=True)
    while True:
        yield due.get_next(datetime)


def _long_names() -> str:
    names = [datetime(2001, 1, day).strftime("%A") for day in range(1, 8)]
    names += [datetime(2001, month, 1).strftime("%B") for month in range(1, 13)]
    return "|".join(name.lower() for name in names)
