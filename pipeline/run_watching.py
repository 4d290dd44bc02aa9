"""Follows a run to its end by asking again and again, as neither engine tells by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from frhead_core.errors import InputError
from pipeline.run_engine import ENDED, RunEngine, RunState

Say = Callable[[str], None]


def watched(engine: RunEngine, run_id: str, seconds: float, say: Say) -> RunState:
    """Say every change of state of a run and its steps, until it has ended.

    Args:
        engine: Where it is.
        run_id: Which.
        seconds: How often to look.
        say: Told one line at a time.
    """
    known: dict[str, str] = {}
    while True:
        run = engine.run(run_id)
        for step in run.steps:
            text = f": {step.text}" if step.text and step.state != "running" else ""
            _say_change(known, step.name, f"{step.name}: {step.state}{text}", step.state, say)
        _say_change(known, "", f"{run.name}: {run.state}", run.state, say)
        if run.state in ENDED:
            if run.error:
                say(run.error)
            return run.state
        time.sleep(seconds)


def followed(engine: RunEngine, run_id: str, step: str, seconds: float, say: Say) -> None:
    """Say what a step writes, until its run has ended.

    A step that does not exist yet is waited for while the run goes on.
    """
    said = 0
    while True:
        ended = engine.run(run_id).state in ENDED
        try:
            log = engine.log(run_id, step)
        except InputError:
            if ended:
                raise
            log = ""
        if len(log) > said:
            say(log[said:])
            said = len(log)
        if ended:
            return
        time.sleep(seconds)


def _say_change(known: dict[str, str], name: str, line: str, state: str, say: Say) -> None:
    if known.get(name) != state:
        known[name] = state
        say(line)
