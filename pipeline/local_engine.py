"""Runs the pipeline on this machine through ``kfp.local``, and works around what it gets wrong.

kfp.local (2.17) walks the graph, passes parameters and artifacts, and keeps the cache. It does not
say which step it is running, whether a result came from the cache or why a step failed; it mixes
the output of all steps, goes on with new steps after one has failed, leaves processes behind when
it is stopped, and replaces ``python3`` inside paths. So two of its parts are replaced while a
pipeline runs: what executes a single task, which is wrapped to know the step; and the handler that
starts a process, which is ours.
"""

from __future__ import annotations

import builtins
import contextlib
import logging
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from kfp import dsl, local
from kfp.local import subprocess_task_handler
from kfp.local.orchestrator import task_executor
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.local.status import Status

from components import lifeline
from components.events import FILE_NAME, EventFile, EventReader
from pipeline.run_folder import RunFolder
from pipeline.step_processes import LOG_NAME, StepProcesses


@dataclass
class StepOutcome:
    """How a step ended.

    Attributes:
        name: The step, with its modality where it has one.
        status: ``running``, ``done``, ``cached``, ``failed`` or ``stopped``.
        seconds: How long it took.
        outputs: Artifact places and parameters by name.
        exit_code: Of its process.
        error: What went wrong.
        expected: Whether the step itself said so, as something that the user can mend.
    """

    name: str
    status: str = "running"
    seconds: float = 0.0
    outputs: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    error: str | None = None
    expected: bool = False


class LocalEngine:
    """One run of a pipeline by processes on this machine.

    Args:
        folder: The run folder.
        environment: Variables for the processes of the steps; no part of any cache key.
    """

    def __init__(self, folder: RunFolder, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._processes = StepProcesses(folder.path, environment)
        self._current = threading.local()
        self.outcomes: dict[str, StepOutcome] = {}

    @property
    def failure(self) -> StepOutcome | None:
        """The first step that failed."""
        return next((each for each in self.outcomes.values() if each.status == "failed"), None)

    @property
    def stopped(self) -> bool:
        """Whether the run was asked to end before its time."""
        return self._processes.stopping

    def run(self, pipeline: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        """Run the pipeline; what became of it is in ``outcomes``, ``failure`` and ``stopped``."""
        with (
            lifeline.held(self.folder.path),
            tempfile.TemporaryDirectory(prefix="frhead-run-") as temporary,
            _quiet(self.folder.path / "kfp.log"),
            _replaced(subprocess_task_handler, "SubprocessTaskHandler", self._make_handler),
            _replaced(
                task_executor, "execute_single_task", self._wrap(task_executor.execute_single_task)
            ),
            _signals(self._processes.stop),
        ):
            local.init(
                runner=local.SubprocessRunner(use_venv=False),
                pipeline_root=str(self.folder.artifacts),
                workspace_root=f"{temporary}/workspace",  # kfp deletes it
                raise_on_error=False,
                enable_caching=True,
                cache_root=str(self.folder.cache),
            )
            pipeline(**arguments)

    def _wrap(self, execute: Callable[..., tuple[dict[str, Any], Status]]) -> Callable[..., Any]:
        def execute_known_step(**task: Any) -> tuple[dict[str, Any], Status]:
            if self.stopped or self.failure is not None:
                return {}, Status.FAILURE
            outcome = self.outcomes.setdefault(name := _step_name(task), StepOutcome(name))
            directory = self.folder.step(name)
            self._current.step, self._current.started = outcome, False
            begin = time.monotonic()
            try:
                outputs, status = execute(**task)
            except Exception as error:
                outcome.status, outcome.error = "failed", f"{type(error).__name__}: {error}"
                raise
            outcome.seconds = time.monotonic() - begin
            outcome.outputs = {key: _plain(value) for key, value in outputs.items()}
            if status == Status.FAILURE:
                self._record_failure(outcome, directory)
            else:
                outcome.status = "done" if self._current.started else "cached"
            if outcome.status == "cached":
                _record_hit(directory, outcome)
            return outputs, status

        return execute_known_step

    def _make_handler(
        self, full_command: list[str], env_vars: Mapping[str, str], **_: Any
    ) -> _ProcessHandler:
        return _ProcessHandler(lambda: self._run_process(full_command, env_vars))

    def _run_process(self, command: list[str], variables: Mapping[str, str]) -> Status:
        """Run the process of the step that this thread is executing."""
        outcome: StepOutcome = self._current.step
        self._current.started = True
        directory = self.folder.step(outcome.name)
        outcome.exit_code = self._processes.run(command, directory, variables)
        return Status.SUCCESS if outcome.exit_code == 0 else Status.FAILURE

    def _record_failure(self, outcome: StepOutcome, directory: Path) -> None:
        errors = [
            event
            for event in EventReader(directory / FILE_NAME).read()
            if event["event"] == "error"
        ]
        outcome.status = "stopped" if self.stopped else "failed"
        if errors:
            outcome.error, outcome.expected = errors[-1]["text"], errors[-1]["expected"]
        elif not self.stopped:
            outcome.error = _describe_exit(outcome.exit_code)
            EventFile(directory / FILE_NAME).write("error", text=outcome.error, expected=False)


@dataclass(frozen=True)
class _ProcessHandler:
    """Stands in for kfp's handler of subprocess tasks."""

    run: Callable[[], Status]


def _step_name(task: Mapping[str, Any]) -> str:
    component = str(task["task_spec"].component_ref.name).removeprefix("comp-").replace("-", "_")
    arguments = OrchestratorUtils.make_task_arguments(
        task_inputs_spec=task["task_spec"].inputs, io_store=task["io_store"]
    )
    modality = arguments.get("modality")
    return f"{component}-{modality}" if modality else component


def _plain(value: Any) -> Any:
    return value.uri if isinstance(value, dsl.Artifact) else value


def _record_hit(directory: Path, outcome: StepOutcome) -> None:
    places = [str(value) for value in outcome.outputs.values()]
    text = "nothing to do: the results of an earlier run with the same inputs and code are used\n"
    (directory / LOG_NAME).write_text(text + "".join(f"  {place}\n" for place in places))
    EventFile(directory / FILE_NAME).write("cached", outputs=outcome.outputs)


def _describe_exit(exit_code: int) -> str:
    if exit_code >= 0:
        return f"the step ended with exit code {exit_code}; its log says more"
    name = signal.Signals(-exit_code).name
    more = " (out of memory?)" if -exit_code == signal.SIGKILL else ""
    return f"the step was ended by signal {name}{more}"


@contextlib.contextmanager
def _replaced(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


@contextlib.contextmanager
def _quiet(log: Path) -> Iterator[None]:
    """Send what kfp prints, logs and warns to a file.

    It replaces ``print`` and the handlers of the root logger while a task runs, and with parallel
    tasks does not always put the originals back.
    """
    root = logging.getLogger()
    original_print, level, handlers = builtins.print, root.level, root.handlers[:]
    with log.open("a", encoding="utf-8") as file:
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            builtins.print, root.handlers[:] = original_print, handlers
            root.setLevel(level)


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into an orderly end: steps end, kfp winds up, the run is recorded."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    original = {sign: signal.signal(sign, handle) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for sign, handler in original.items():
            signal.signal(sign, handler)
