"""What ``run.json`` says of a run of this machine, whoever wrote it there."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args

from components import lifeline
from frhead_core.errors import InputError
from pipeline.run_engine import Accuracy, RunRecord, RunState
from pipeline.run_folder import RECORD, recorded_moment

_DAMAGE = (TypeError, ValueError, AttributeError, LookupError, OverflowError, RecursionError)
_LONGEST_SECONDS = 10 * 366 * 24 * 3600.0


def read_record(folder: Path) -> RunRecord:
    """What is recorded of a run, without its steps. Its state is as recorded: see :func:`living`.

    Raises:
        InputError: If it cannot be read, or is not the record of a run.
    """
    values = read_facts(folder)
    try:
        return _record(folder, values)
    except _DAMAGE as error:
        raise _not_a_record(folder, error) from error


def damaged_record(folder: Path, error: InputError) -> RunRecord:
    """A run of which nothing is known but where it is, and why."""
    return RunRecord(
        folder.name, folder.name, "unknown", error=str(error), details={"folder": str(folder)}
    )


def read_facts(folder: Path) -> Mapping[str, Any]:
    """The values of a ``run.json``.

    Raises:
        InputError: If it cannot be read, or is no JSON object.
    """
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _not_a_record(folder, error) from error
    if not isinstance(values, dict):
        raise _not_a_record(folder, f"found {type(values).__name__}, expected an object")
    return values


def living(folder: Path, record: RunRecord) -> RunRecord:
    """A record with the state of its run: ``lost`` if its program is gone without a word."""
    if record.state != "running" or _program_lives(folder):
        return record
    try:
        record = read_record(folder)  # it may just have ended, with a word
    except InputError as error:
        return damaged_record(folder, error)
    return dataclasses.replace(record, state="lost") if record.state == "running" else record


def state_of(text: Any) -> RunState:
    """A state that is known, or ``unknown``."""
    return cast(RunState, text) if text in get_args(RunState) else "unknown"


def _program_lives(folder: Path) -> bool:
    try:
        return lifeline.holder(folder) is not None
    except (OSError, ValueError):  # no lock of ours
        return False


def _not_a_record(folder: Path, why: object) -> InputError:
    return InputError(f"is not the record of a run ({why})", file=folder / RECORD)


def _record(folder: Path, values: Mapping[str, Any]) -> RunRecord:
    started = _moment(values.get("started"))
    seconds = _number(values.get("seconds"))
    modalities = tuple(_text(name) for name in _list(values.get("modalities")))
    benchmark = _text(values.get("benchmark"))
    return RunRecord(
        id=folder.name,
        name=benchmark or folder.name,
        state=state_of(_text(values.get("status"))),
        started=started,
        ended=_after(started, seconds),
        error=_error(_list(values.get("steps"))) or _text(values.get("error")),
        benchmark=benchmark,
        backbone=_backbone(values.get("recipe")),
        modalities=modalities,
        started_by=_text(values.get("started_by")),
        accuracies={
            _text(name): _accuracy(each) for name, each in (values.get("accuracies") or {}).items()
        },
        details={
            "raw": _text(values.get("raw")),
            "modalities": ", ".join(modalities),
            "folder": str(folder),
        },
    )


def _after(started: datetime | None, seconds: float | None) -> datetime | None:
    if started is None or seconds is None:
        return None
    if not 0 <= seconds <= _LONGEST_SECONDS:
        raise ValueError(f"took {seconds} seconds")
    return started + timedelta(seconds=seconds)


def _error(steps: Sequence[Any]) -> str:
    failed = [step for step in steps if step["status"] == "failed"]
    return "; ".join(f"{_text(step['name'])}: {_text(step['error'])}" for step in failed)


def _backbone(recipe: Any) -> str:
    """The recipe is JSON within JSON; older records have none."""
    return _text(json.loads(recipe)["model"]["backbone"]) if recipe else ""


def _accuracy(values: Mapping[str, Any]) -> Accuracy:
    return Accuracy(
        last=_number(values.get("last")),
        best=_number(values.get("best")),
        best_on=_text(values.get("best_on")) or None,
        published=_number(values.get("published")),
    )


def _moment(value: Any) -> datetime | None:
    """Between years that can be shown in every time zone and have an end that can be told."""
    if value is None:
        return None
    moment = recorded_moment(value)
    if not 1970 <= moment.year <= 9000:
        raise ValueError(f"found the year {moment.year}")
    return moment


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"found {value!r}, expected a finite number")
    return float(value)


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | None):
        raise TypeError(f"found {type(value).__name__}, expected a list")
    return value or ()


def _text(value: Any) -> str:
    """As text that can be sent: JSON may hold halves of characters, which no encoding has."""
    if not isinstance(value, str | None):
        raise TypeError(f"found {type(value).__name__}, expected a text")
    return (value or "").encode("utf-8", "replace").decode("utf-8")
