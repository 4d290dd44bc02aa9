"""The runs of this machine: their folders in a work directory."""

from __future__ import annotations

import dataclasses
import os
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from components import lifeline
from components.events import FILE_NAME, EventReader
from frhead_core.errors import InputError
from frhead_core.settings_files import closest
from pipeline.display import StepState
from pipeline.run_engine import ENDED, RunRecord, RunState, StepRecord, unknown_step
from pipeline.run_folder import RECORD
from pipeline.run_index import RunIndex, stamps
from pipeline.run_records import living, read_facts, read_record, state_of
from pipeline.step_processes import LOG_NAME


@dataclass(frozen=True)
class LocalRuns:
    """The runs in a work directory."""

    work_directory: Path
    _index: RunIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", RunIndex(self.work_directory))

    @property
    def place(self) -> str:
        return str(self.work_directory)

    def runs(self, limit: int) -> list[RunRecord]:
        return self.all_runs()[:limit]

    def all_runs(self) -> list[RunRecord]:
        """All runs, newest first, without their steps; the second time only changes are read.

        Raises:
            InputError: If there is no work directory.
        """
        self._check_directory()
        return self._index.records()

    def run(self, run_id: str) -> RunRecord:
        folder = self._folder(run_id)
        run = living(folder, read_record(folder))
        return dataclasses.replace(run, steps=tuple(_steps(folder, run.state)))

    def log(self, run_id: str, step: str) -> str:
        steps = self._folder(run_id) / "steps"
        known = sorted(path.name for path in steps.glob("*"))
        if step not in known:
            raise unknown_step(steps, step, known)
        path = steps / step / LOG_NAME
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def stop(self, run_id: str) -> None:
        folder = self._folder(run_id)
        process = lifeline.holder(folder)
        if process is None:
            raise InputError("is not running", file=folder, found=self._state(folder))
        os.kill(process, signal.SIGTERM)

    def retry(self, run_id: str, name: str = "") -> str:
        """Run the same again, here and now; what was finished comes from the cache.

        Args:
            run_id: The run.
            name: Of the new one; empty for date, time and benchmark.

        Returns:
            The id of the new run.
        """
        from pipeline.local_run import local_run_of, run_locally  # noqa: PLC0415 - brings kfp

        folder = self._folder(run_id)
        check_can_go_on(living(folder, read_record(folder)))
        before = self._names()
        run_locally(local_run_of(read_facts(folder), self.work_directory), name)
        return name or max(self._names() - before)

    def _state(self, folder: Path) -> RunState:
        return living(folder, read_record(folder)).state

    def _check_directory(self) -> None:
        if not self.work_directory.is_dir():
            raise InputError(
                "there is no such work directory",
                file=self.work_directory,
                hint="Name it with --work-directory, or a cluster with --endpoint",
            )

    def _names(self) -> set[str]:
        self._check_directory()
        return {name for name, _ in stamps(self.work_directory)}

    def _folder(self, run_id: str) -> Path:
        folder = self.work_directory / run_id
        alone = folder.parent == self.work_directory and folder.name == run_id != ".."
        if not alone or not os.path.isfile(folder / RECORD):  # noqa: PTH113 - false for any text
            names = self._names()
            raise InputError(
                "there is no such run",
                file=self.work_directory,
                found=run_id,
                hint=closest(run_id, names) or "`frhead runs list` lists them",
            )
        return folder


def check_can_go_on(run: RunRecord) -> None:
    """Refuse to go on with a run that has not ended before its time.

    Raises:
        InputError: If it is done, or not at its end.
    """
    if run.state not in ENDED or run.state == "done":
        raise InputError(
            "only a run that failed or was stopped can go on", file=run.id, found=run.state
        )


def _steps(folder: Path, run_state: RunState) -> list[StepRecord]:
    steps = [_step(path.parent, run_state) for path in folder.glob(f"steps/*/{FILE_NAME}")]
    return sorted(steps, key=lambda step: step.started or datetime.max.replace(tzinfo=UTC))


def _step(folder: Path, run_state: RunState) -> StepRecord:
    known = StepState(folder.name)
    for event in EventReader(folder / FILE_NAME).read():
        known.take(event)
    state = state_of(known.status)
    if state == "running" and run_state in ENDED:
        state = "lost"
    return StepRecord(
        folder.name, state, _from_seconds(known.started), _from_seconds(known.ended), known.text
    )


def _from_seconds(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
