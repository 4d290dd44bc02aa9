"""Which step of a run follows which, as the pipeline's own definition says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Any

from frhead_core.config import Modality

_LOCK = threading.Lock()


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


@dataclass(frozen=True)
class _Task:
    """A task of the definition; ``inner`` are those of a loop, which is no step itself."""

    component: str
    after: tuple[str, ...]
    always_runs: bool
    inner: Mapping[str, _Task]


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


def _of_modality(loop: _Task, modality: Modality, before: Sequence[str]) -> Iterator[DagStep]:
    names = {key: f"{task.component}-{modality}" for key, task in loop.inner.items()}
    for key in _order(loop.inner):
        task = loop.inner[key]
        after = tuple(names[other] for other in task.after) or tuple(before)
        yield DagStep(names[key], task.component, modality, after, task.always_runs)


def _order(tasks: Mapping[str, _Task]) -> list[str]:
    waits = {key: tasks[key].after for key in sorted(tasks)}
    return list(TopologicalSorter(waits).static_order())


def _ends(tasks: Mapping[str, _Task]) -> set[str]:
    """Components that no other task of a loop waits for."""
    awaited = {key for task in tasks.values() for key in task.after}
    return {task.component for key, task in tasks.items() if key not in awaited}


def prepare_definition() -> None:
    """Have the pipeline's definition at hand before anyone asks, without waiting for it."""
    threading.Thread(target=_definition, args=(False,), name="definition", daemon=True).start()


def _definition(promotion: bool) -> Mapping[str, _Task]:
    with _LOCK:  # kfp's compiler is for one thread at a time
        return _compiled(promotion)


@lru_cache
def _compiled(promotion: bool) -> Mapping[str, _Task]:
    # They bring kfp, which takes seconds: nobody who only looks at a list waits for it.
    from frhead_core.config import MODALITIES, load_recipe  # noqa: PLC0415
    from pipeline.arguments import pipeline_arguments  # noqa: PLC0415
    from pipeline.dag import build_pipeline  # noqa: PLC0415

    # No recipe changes which steps there are.
    arguments = pipeline_arguments(load_recipe("demo"), MODALITIES)
    specification = build_pipeline(arguments, promotion=promotion).pipeline_spec
    return _tasks(specification.root.dag.tasks, specification.components)


def _tasks(tasks: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, _Task]:
    return {
        key: _Task(
            component=task.component_ref.name.removeprefix("comp-").replace("-", "_"),
            after=tuple(sorted(task.dependent_tasks)),
            always_runs=not task.caching_options.enable_cache,
            inner=_tasks(components[task.component_ref.name].dag.tasks, components),
        )
        for key, task in tasks.items()
    }
