# ruff: noqa: PLC0415 - kfp takes seconds: only the program below waits for it
"""The pipeline's definition as JSON: ``python -m pipeline.console.dag_definition``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A task of the definition.

    Attributes:
        component: What it runs; of a loop the loop.
        after: Keys of the tasks that it waits for.
        always_runs: Whether no earlier result is ever used.
        inner: Those of a loop, which is no step itself.
    """

    component: str
    after: tuple[str, ...]
    always_runs: bool
    inner: dict[str, Task]


def definitions() -> list[dict[str, Task]]:
    """The tasks of the pipeline by key, without a promotion and with one."""
    from frhead_core.config import MODALITIES, load_recipe
    from pipeline.arguments import pipeline_arguments
    from pipeline.dag import build_pipeline

    # No recipe changes which steps there are.
    arguments = pipeline_arguments(load_recipe("demo"), MODALITIES)
    specifications = [
        build_pipeline(arguments, promotion=promotion).pipeline_spec for promotion in (False, True)
    ]
    return [_tasks(each.root.dag.tasks, each.components) for each in specifications]


def _tasks(tasks: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Task]:
    return {
        key: Task(
            component=task.component_ref.name.removeprefix("comp-").replace("-", "_"),
            after=tuple(sorted(task.dependent_tasks)),
            always_runs=not task.caching_options.enable_cache,
            inner=_tasks(components[task.component_ref.name].dag.tasks, components),
        )
        for key, task in sorted(tasks.items())
    }


if __name__ == "__main__":
    import dataclasses
    import json

    print(
        json.dumps(
            [
                {key: dataclasses.asdict(task) for key, task in tasks.items()}
                for tasks in definitions()
            ]
        )
    )
