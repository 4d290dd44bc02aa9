"""The runs of a Kubeflow Pipelines endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from frhead_core.errors import InputError
from pipeline.kubeflow_api import KubeflowApi
from pipeline.run_engine import ENDED, RunRecord, RunState, StepRecord, unknown_step

_STATES: dict[str | None, RunState] = {
    "PENDING": "waiting",
    "RUNNING": "running",
    "PAUSED": "waiting",
    "SUCCEEDED": "done",
    "SKIPPED": "cached",
    "FAILED": "failed",
    "CANCELING": "stopping",
    "CANCELED": "stopped",
    None: "waiting",
}
RECURRING_RUN = "recurring run"
"""What the details of a run call the id of the schedule that started it."""
_EXECUTOR = "executor"


@dataclass(frozen=True)
class KubeflowRuns:
    """Runs by the KFP API."""

    api: KubeflowApi

    @property
    def place(self) -> str:
        return self.api.endpoint.url

    def runs(self, limit: int) -> list[RunRecord]:
        found = self.api.pages(
            self.api.runs.run_service_list_runs,
            "runs",
            sort_by="created_at desc",
            **self.api.namespace,
        )
        return [_record(run) for run in islice(found, limit)]

    def run(self, run_id: str) -> RunRecord:
        return _record(self._get(run_id), with_steps=True)

    def log(self, run_id: str, step: str) -> str:
        tasks = _Tasks(self._get(run_id))
        known = dict(tasks.steps())
        if step not in known:
            raise unknown_step(self.place, step, known)
        pods = tasks.pods(known[step])
        if not pods:
            return ""  # it has not started, or its result came from the cache
        return "".join(self.api.log(run_id, pod) for pod in pods)

    def stop(self, run_id: str) -> None:
        state = _state(self._get(run_id))
        if state in ENDED:
            raise InputError("is not running", file=self.place, field=run_id, found=state)
        self.api.call(self.api.runs.run_service_terminate_run, run_id)

    def retry(self, run_id: str) -> str:
        state = _state(self._get(run_id))
        if state not in ("failed", "stopped"):
            raise InputError(
                "only a run that failed or was stopped can go on",
                file=self.place,
                field=run_id,
                found=state,
            )
        self.api.call(self.api.runs.run_service_retry_run, run_id)
        return run_id

    def _get(self, run_id: str) -> Any:
        return self.api.call(self.api.runs.run_service_get_run, run_id)


class _Tasks:
    """The tasks of a run, which KFP lists beside helpers of its own: drivers, loops, executors.

    A step's process is in an ``executor`` somewhere below it.
    """

    def __init__(self, run: Any) -> None:
        details = run.run_details.task_details if run.run_details else None
        self._tasks: dict[str, Any] = {task.task_id: task for task in details or ()}

    def steps(self) -> Iterator[tuple[str, Any]]:
        """Tasks that are steps, by names of which each occurs once, in the order of their start."""
        counts: dict[str, int] = {}
        ordered = sorted(self._tasks.values(), key=lambda task: str(task.create_time or ""))
        for task in ordered:
            name = str(task.display_name or task.task_id)
            if self._is_helper(name):
                continue
            name = name.replace("-", "_")
            counts[name] = counts.get(name, 0) + 1
            yield (name if counts[name] == 1 else f"{name}-{counts[name]}"), task

    def pods(self, task: Any) -> list[str]:
        """Names of the pods that a step's process ran in, oldest first."""
        below = list(self._below(task))
        executors = [each for each in below if each.display_name == _EXECUTOR and each.pod_name]
        return [str(each.pod_name) for each in executors or [task] if each.pod_name]

    def _below(self, task: Any) -> Iterator[Any]:
        for child in task.child_tasks or ():
            if child.task_id in self._tasks:
                yield self._tasks[child.task_id]
                yield from self._below(self._tasks[child.task_id])

    @staticmethod
    def _is_helper(name: str) -> bool:
        return (
            name in ("root", _EXECUTOR)
            or name.endswith("-driver")
            or name.startswith(("for-loop", "iteration"))
        )


def _record(run: Any, *, with_steps: bool = False) -> RunRecord:
    parameters: Mapping[str, Any] = (run.runtime_config and run.runtime_config.parameters) or {}
    details = {"raw": parameters.get("raw"), "experiment": run.experiment_id}
    if run.recurring_run_id:
        details[RECURRING_RUN] = run.recurring_run_id
    return RunRecord(
        id=str(run.run_id),
        name=str(run.display_name),
        state=_state(run),
        started=run.created_at,
        ended=_ended(run),
        error=_error(run),
        details={name: str(value) for name, value in details.items() if value},
        steps=tuple(_step(*each) for each in _Tasks(run).steps()) if with_steps else (),
    )


def _step(name: str, task: Any) -> StepRecord:
    return StepRecord(name, _state(task), task.start_time, task.end_time, _error(task))


def _state(thing: Any) -> RunState:
    return _STATES.get(thing.state, "unknown")


def _ended(run: Any) -> Any:
    """KFP fills in the year 1970 while a run goes on."""
    return run.finished_at if run.finished_at and run.finished_at.year > 1970 else None


def _error(thing: Any) -> str:
    return str(thing.error.message or "") if thing.error else ""
