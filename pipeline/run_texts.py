"""Runs as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline.local_time import duration_text, time_text
from pipeline.run_engine import RunRecord, StepRecord
from pipeline.text_tables import columns


def runs_text(runs: Sequence[RunRecord]) -> str:
    """A row for each run."""
    if not runs:
        return "no runs"
    rows = [(run.id, run.name, run.state, _time(run.started), _duration(run)) for run in runs]
    return columns([("run", "name", "state", "started", "took"), *rows])


def run_text(run: RunRecord) -> str:
    """Everything about one run."""
    facts = [
        ("run", run.id),
        ("name", run.name),
        ("state", run.state),
        ("started", _time(run.started)),
        ("took", _duration(run)),
        *run.details.items(),
    ]
    if run.error:
        facts.append(("error", run.error))
    blocks = [columns([fact for fact in facts if fact[1]])]
    if run.steps:
        rows = [(step.name, step.state, _duration(step), step.text) for step in run.steps]
        blocks.append(columns([("step", "state", "took", ""), *rows]))
    return "\n\n".join(blocks)


def _time(moment: datetime | None) -> str:
    return time_text(moment) if moment else ""


def _duration(thing: RunRecord | StepRecord) -> str:
    """How long it took, or takes so far."""
    if thing.ended is None and thing.state not in ("running", "stopping"):
        return ""
    return duration_text(thing.started, thing.ended)
