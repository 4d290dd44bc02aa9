"""Recurring runs of a Kubeflow Pipelines cluster, brought to what a file declares.

KFP cannot change a recurring run. One that differs is disabled, its successor is created, and then
it is deleted, so that at no time two of them start runs. Whether one differs is told by a mark in
its description, a hash of all that it was made from, as a server may give contents back rewritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import kfp_server_api as api

from frhead_core.config import Recipe
from frhead_core.errors import InputError
from frhead_core.settings_files import closest
from pipeline.kubeflow_api import KubeflowApi
from pipeline.profile import Profile
from pipeline.run_engine import NotThereError
from pipeline.schedule_file import Schedule, ScheduleFile
from pipeline.submission import Job, experiment_id, runtime_config, uploaded

_MARK = re.compile(r"frhead schedule ([0-9a-f]{16})")

Action = Literal["created", "replaced", "unchanged", "paused", "resumed", "deleted", "undeclared"]


@dataclass(frozen=True)
class Applied:
    """What became of one schedule, or would become of it."""

    name: str
    action: Action
    paused: bool


@dataclass(frozen=True)
class _Wanted:
    """A schedule as it is declared."""

    name: str
    schedule: Schedule
    job: Job

    @cached_property
    def compiled(self) -> bytes:
        return self.job.compiled()

    @cached_property
    def mark(self) -> str:
        """A hash of all that its recurring run is made from, but whether it is paused."""
        settings = asdict(replace(self.schedule, paused=None))
        content = json.dumps([settings, self.job.parameters()], sort_keys=True).encode()
        return hashlib.sha256(content + self.compiled).hexdigest()[:16]


@dataclass(frozen=True)
class Schedules:
    """The recurring runs of a cluster.

    Attributes:
        kubeflow: Its API.
        profile: What it is like; None leaves all to its own defaults.
    """

    kubeflow: KubeflowApi
    profile: Profile | None = None

    def all(self) -> Iterator[Any]:
        """Every recurring run, also those that no file has declared."""
        return self.kubeflow.pages(
            self._service.recurring_run_service_list_recurring_runs,
            "recurring_runs",
            **self.kubeflow.namespace,
        )

    def apply(
        self, declared: ScheduleFile, recipes: Mapping[str, Recipe], *, prune: bool, dry: bool
    ) -> Iterator[Applied]:
        """Bring the cluster to what a file declares; a second time changes nothing.

        Args:
            declared: The file.
            recipes: Of its schedules, by name.
            prune: Delete what an earlier file declared and this one does not.
            dry: Only say what would be done.

        Yields:
            What was done, one schedule at a time.
        """
        there: dict[str, list[Any]] = {}
        for run in self.all():
            there.setdefault(str(run.display_name), []).append(run)
        for name, schedule in declared.schedules.items():
            wanted = _Wanted(name, schedule, _job(schedule, recipes[name], self.profile))
            yield self._bring(wanted, there.pop(name, []), dry=dry)
        for name, runs in there.items():
            ours = [run for run in runs if mark_of(run)]
            for run in ours:
                if prune and not dry:
                    self._delete(run)
                yield Applied(name, "deleted" if prune else "undeclared", _paused(run))

    def pause(self, name: str) -> None:
        """Start no more runs until it is resumed; this and the next two take a name or an id."""
        for run in self._named(name):
            self._call("disable", run)

    def resume(self, name: str) -> None:
        """Start runs again. What was due meanwhile is not made up for, unless it says so."""
        for run in self._named(name):
            self._call("enable", run)

    def delete(self, name: str) -> None:
        """Delete it; its runs stay."""
        for run in self._named(name):
            self._delete(run)

    @property
    def _service(self) -> Any:
        return self.kubeflow.recurring_runs

    def _create(self, wanted: _Wanted, *, paused: bool) -> None:
        job, schedule = wanted.job, wanted.schedule
        run = api.V2beta1RecurringRun(
            display_name=wanted.name,
            description=f"frhead schedule {wanted.mark}",
            experiment_id=experiment_id(self.kubeflow, job.experiment),
            pipeline_version_reference=uploaded(self.kubeflow, job.pipeline_name, wanted.compiled),
            runtime_config=runtime_config(job),
            service_account=job.account,
            max_concurrency=str(schedule.max_concurrency),
            no_catchup=not schedule.catch_up,
            trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=schedule.cron)),
            mode="DISABLE" if paused else "ENABLE",
            **self.kubeflow.namespace,
        )
        self.kubeflow.call(self._service.recurring_run_service_create_recurring_run, run)

    def _bring(self, wanted: _Wanted, there: list[Any], *, dry: bool) -> Applied:
        if any(mark_of(run) is None for run in there):
            raise InputError(
                "a recurring run of this name was made by other means",
                file=self.kubeflow.endpoint.url,
                field=wanted.name,
                hint="Give the schedule another name, or delete that one",
            )
        # Several are there when an earlier replacement was interrupted.
        same = [run for run in there if mark_of(run) == wanted.mark]
        others = [run for run in there if mark_of(run) != wanted.mark] + same[1:]
        paused = wanted.schedule.paused
        if paused is None:
            paused = bool(there) and all(map(_paused, there))
        if not same:
            applied = Applied(wanted.name, "replaced" if there else "created", paused)
            if not dry:
                self._replace(wanted, others, paused=paused)
            return applied
        changed: Action = "paused" if paused else "resumed"
        action = "unchanged" if _paused(same[0]) == paused else changed
        applied = Applied(wanted.name, action, paused)
        if not dry:
            self._keep(same[0], others, applied)
        return applied

    def _replace(self, wanted: _Wanted, others: list[Any], *, paused: bool) -> None:
        active = [run for run in others if not _paused(run)]
        try:
            for run in active:
                self._call("disable", run)
            self._create(wanted, paused=paused)
        except BaseException:
            for run in active:  # rather the old schedule than none
                with contextlib.suppress(InputError):
                    self._call("enable", run)
            raise
        for run in others:
            self._delete(run)

    def _keep(self, run: Any, others: list[Any], applied: Applied) -> None:
        for other in others:
            self._delete(other)
        if applied.action in ("paused", "resumed"):
            self._call("disable" if applied.paused else "enable", run)

    def _call(self, verb: str, run: Any) -> None:
        function = getattr(self._service, f"recurring_run_service_{verb}_recurring_run")
        self.kubeflow.call(function, run.recurring_run_id)

    def _delete(self, run: Any) -> None:
        self._call("delete", run)

    def _named(self, name: str) -> list[Any]:
        known = list(self.all())
        found = [run for run in known if name in (run.display_name, run.recurring_run_id)]
        if not found:
            raise NotThereError(
                "there is no such schedule",
                file=self.kubeflow.endpoint.url,
                found=name,
                hint=closest(name, [str(run.display_name) for run in known]),
            )
        return found


def _job(schedule: Schedule, recipe: Recipe, profile: Profile | None) -> Job:
    return Job(
        recipe=recipe,
        modalities=schedule.modalities,
        raw=",".join(sorted(schedule.raw)),
        champions=schedule.champions,
        experiment=schedule.experiment,
        service_account=schedule.service_account,
        pipeline_root=schedule.pipeline_root,
        profile=profile,
    )


def mark_of(run: Any) -> str | None:
    """What tells a recurring run that a file declared; None of others."""
    found = _MARK.search(run.description or "")
    return found.group(1) if found else None


def _paused(run: Any) -> bool:
    return bool(run.status != "ENABLED")
