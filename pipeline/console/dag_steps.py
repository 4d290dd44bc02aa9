"""Which step of a run follows which, as the pipeline's own definition says."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter

from pydantic import TypeAdapter

from frhead_core.config import Modality
from frhead_core.errors import FRHeadError
from pipeline.console.dag_definition import Task

_LOCK = threading.Lock()
_DEFINITIONS = TypeAdapter(list[dict[str, Task]])


@dataclass(frozen=True)
class DagStep:
    """A step of a run.

    Attributes:
        name: As the run names it, with its modality where it has one.
        component: What it does.
        modality: Its modality; None outside the loop over these.
        after: Names of the steps that it waits for.
        always_runs: Whether no earlier result is ever used.
    """

    name: str
    component: str
    modality: Modality | None
    after: tuple[str, ...]
    always_runs: bool


def steps_of(modalities: Sequence[Modality], *, promotion: bool) -> tuple[DagStep, ...]:
    """The steps of a run, each after those that it waits for.

    Args:
        modalities: Those of the run.
        promotion: Whether it compares with a champion.
    """
    tasks = _definition(promotion)
    names: dict[str, list[str]] = {}  # of the steps that are over when a task is
    found: list[DagStep] = []
    for key in _order(tasks):
        task = tasks[key]
        before = [name for other in task.after for name in names[other]]
        if task.inner:
            inside = [each for name in modalities for each in _of_modality(task, name, before)]
            last = _ends(task.inner)
            names[key] = [each.name for each in inside if each.component in last]
            found += inside
        else:
            names[key] = [task.component]
            found.append(
                DagStep(task.component, task.component, None, tuple(before), task.always_runs)
            )
    return tuple(found)


def direct(steps: Sequence[DagStep]) -> dict[str, tuple[str, ...]]:
    """Before each step those that are before no other of them: what a picture needs of arrows."""
    earlier: dict[str, set[str]] = {}
    for step in steps:
        earlier[step.name] = set(step.after).union(*(earlier[name] for name in step.after))
    return {
        step.name: tuple(
            name
            for name in step.after
            if not any(name in earlier[other] for other in step.after if other != name)
        )
        for step in steps
    }


def _of_modality(loop: Task, modality: Modality, before: Sequence[str]) -> Iterator[DagStep]:
    names = {key: f"{task.component}-{modality}" for key, task in loop.inner.items()}
    for key in _order(loop.inner):
        task = loop.inner[key]
        after = tuple(names[other] for other in task.after) or tuple(before)
        yield DagStep(names[key], task.component, modality, after, task.always_runs)


def _order(tasks: Mapping[str, Task]) -> list[str]:
    waits = {key: tasks[key].after for key in sorted(tasks)}
    return list(TopologicalSorter(waits).static_order())


def _ends(tasks: Mapping[str, Task]) -> set[str]:
    """Components that no other task of a loop waits for."""
    awaited = {key for task in tasks.values() for key in task.after}
    return {task.component for key, task in tasks.items() if key not in awaited}


def prepare_definition() -> None:
    """Have the pipeline's definition at hand before anyone asks, without waiting for it."""
    threading.Thread(target=_definition, args=(False,), name="definition", daemon=True).start()


def _definition(promotion: bool) -> Mapping[str, Task]:
    with _LOCK:  # who asks meanwhile waits for the one answer
        without, with_promotion = _definitions()
    return with_promotion if promotion else without


@lru_cache(maxsize=1)
def _definitions() -> list[dict[str, Task]]:
    # A program of its own: kfp compiles in one thread at a time, and is large.
    command = [sys.executable, "-m", "pipeline.console.dag_definition"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        reason = ended.stderr.strip().rpartition("\n")[2]
        raise FRHeadError(f"the pipeline's definition cannot be read: {reason}")
    return _DEFINITIONS.validate_json(ended.stdout)
