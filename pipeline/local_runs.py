"""The runs of this machine: their folders in a work directory."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_args

from components import lifeline
from components.events import FILE_NAME, EventReader
from frhead_core.errors import InputError
from frhead_core.settings_files import closest
from pipeline.display import StepState
from pipeline.run_engine import ENDED, RunRecord, RunState, StepRecord, unknown_step
from pipeline.run_folder import RECORD
from pipeline.step_processes import LOG_NAME


@dataclass(frozen=True)
class LocalRuns:
    """The runs in a work directory."""

    work_directory: Path

    @property
    def place(self) -> str:
        return str(self.work_directory)

    def runs(self, limit: int) -> list[RunRecord]:
        newest = sorted(self._names(), reverse=True)[:limit]
        return [_run_record(self.work_directory / name) for name in newest]

    def run(self, run_id: str) -> RunRecord:
        return _run_record(self._folder(run_id), with_steps=True)

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
            raise InputError("is not running", file=folder, found=_run_record(folder).state)
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
        check_can_go_on(_run_record(folder))
        before = self._names()
        run_locally(local_run_of(_read(folder), self.work_directory), name)
        return name or max(self._names() - before)

    def _names(self) -> set[str]:
        if not self.work_directory.is_dir():
            raise InputError(
                "there is no such work directory",
                file=self.work_directory,
                hint="Name it with --work-directory, or a cluster with --endpoint",
            )
        return {path.parent.name for path in self.work_directory.glob(f"*/{RECORD}")}

    def _folder(self, run_id: str) -> Path:
        names = self._names()
        if run_id not in names:
            raise InputError(
                "there is no such run",
                file=self.work_directory,
                found=run_id,
                hint=closest(run_id, names) or "`frhead runs list` lists them",
            )
        return self.work_directory / run_id


def check_can_go_on(run: RunRecord) -> None:
    """Refuse to go on with a run that has not ended before its time.

    Raises:
        InputError: If it is done, or not at its end.
    """
    if run.state not in ENDED or run.state == "done":
        raise InputError(
            "only a run that failed or was stopped can go on", file=run.id, found=run.state
        )


def _run_record(folder: Path, *, with_steps: bool = False) -> RunRecord:
    values = _read(folder)
    started = _moment(values.get("started"))
    state = _state(values.get("status"))
    if state == "running" and lifeline.holder(folder) is None:
        state = "lost"
    seconds = values.get("seconds")
    failed = [step for step in values.get("steps", ()) if step.get("status") == "failed"]
    errors = [f"{step['name']}: {step['error']}" for step in failed]
    return RunRecord(
        id=folder.name,
        name=str(values.get("benchmark", folder.name)),
        state=state,
        started=started,
        ended=started + timedelta(seconds=seconds) if started and seconds else None,
        error="; ".join(errors) or str(values.get("error", "")),
        details={
            "raw": str(values.get("raw", "")),
            "modalities": ", ".join(values.get("modalities", ())),
            "folder": str(folder),
        },
        steps=tuple(_steps(folder, state)) if with_steps else (),
    )


def _steps(folder: Path, run_state: RunState) -> list[StepRecord]:
    steps = [_step(path.parent, run_state) for path in folder.glob(f"steps/*/{FILE_NAME}")]
    return sorted(steps, key=lambda step: step.started or datetime.max.replace(tzinfo=UTC))


def _step(folder: Path, run_state: RunState) -> StepRecord:
    known = StepState(folder.name)
    for event in EventReader(folder / FILE_NAME).read():
        known.take(event)
    state = _state(known.status)
    if state == "running" and run_state in ENDED:
        state = "lost"
    return StepRecord(
        folder.name, state, _from_seconds(known.started), _from_seconds(known.ended), known.text
    )


def _state(text: Any) -> RunState:
    return cast(RunState, text) if text in get_args(RunState) else "unknown"


def _from_seconds(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _moment(text: Any) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z") if isinstance(text, str) else None


def _read(folder: Path) -> Mapping[str, Any]:
    path = folder / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"is not the record of a run ({error})", file=path) from error
    if not isinstance(values, dict):
        raise InputError("is not the record of a run", file=path)
    return values
