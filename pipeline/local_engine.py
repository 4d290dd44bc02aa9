"""Runs the pipeline on this machine through ``kfp.local``, and works around what it gets wrong.

kfp.local (2.17) walks the graph, passes parameters and artifacts, and keeps the cache. It does not
say which step it is running, whether a result came from the cache or why a step failed; it mixes
the output of all steps, goes on with new steps after one has failed, leaves processes behind when
it is stopped, replaces ``python3`` inside paths, and takes a failed container for a success when
that is removed before it has asked for the exit code. So two of its parts are replaced while a
pipeline runs: what executes a single task, which is wrapped to know the step; and the handlers that
start a process or a container, which are ours.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import logging
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, TextIO

from kfp import dsl, local
from kfp.local import cache as kfp_cache
from kfp.local import docker_task_handler, subprocess_task_handler
from kfp.local.orchestrator import task_executor
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.local.status import Status

from components import lifeline
from components.events import FILE_NAME, EventFile, EventReader, StepReporter
from frhead_core.errors import InputError
from frhead_core.progress import Reporter
from pipeline.pipeline_root import PipelineRoot
from pipeline.remote_cache import RemoteCache
from pipeline.run_folder import KFP_LOG, RunFolder, maker_file
from pipeline.step_processes import LOG_NAME
from pipeline.step_runner import StepEnd, StepRunner, StepTask


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
    """One run of a pipeline on this machine.

    Args:
        folder: The run folder.
        steps: What runs the steps: processes or containers.
        root: Where results of steps are shared with other machines; None for nowhere.
    """

    def __init__(
        self, folder: RunFolder, steps: StepRunner, root: PipelineRoot | None = None
    ) -> None:
        self.folder = folder
        self._steps = steps
        self._current = threading.local()
        self._cache = RemoteCache(folder, root, self._transfers) if root is not None else None
        self.outcomes: dict[str, StepOutcome] = {}

    @property
    def failure(self) -> StepOutcome | None:
        """The first step that failed."""
        return next((each for each in self.outcomes.values() if each.status == "failed"), None)

    @property
    def stopped(self) -> bool:
        """Whether the run was asked to end before its time."""
        return self._steps.stopping

    @property
    def not_stored(self) -> InputError | None:
        """Why the pipeline root does not have all results; None if it has, or there is none."""
        return None if self._cache is None else self._cache.error

    def run(self, pipeline: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        """Run the pipeline; what became of it is in ``outcomes``, ``failure`` and ``stopped``."""
        with (
            lifeline.held(self.folder.path),
            tempfile.TemporaryDirectory(prefix="frhead-run-") as temporary,
            _quiet(self.folder.path / KFP_LOG),
            _replaced(subprocess_task_handler, "SubprocessTaskHandler", self._make_handler),
            _replaced(docker_task_handler, "DockerTaskHandler", self._make_handler),
            _replaced(
                task_executor, "execute_single_task", self._wrap(task_executor.execute_single_task)
            ),
            self._cache_in_place(),
            _signals(self._steps.stop),
        ):
            local.init(
                runner=self._steps.kfp_runner(),
                pipeline_root=str(self.folder.artifacts),
                workspace_root=f"{temporary}/workspace",  # kfp deletes it
                raise_on_error=False,
                enable_caching=True,
                cache_root=str(self.folder.cache),
            )
            pipeline(**arguments)

    def _cache_in_place(self) -> AbstractContextManager[None]:
        if self._cache is None:
            return contextlib.nullcontext()
        return _replaced(kfp_cache, "get_local_cache", lambda: self._cache)

    @contextlib.contextmanager
    def _transfers(self) -> Iterator[Reporter]:
        """What is told of the transfers of the step that this thread executes."""
        directory = self.folder.step(self._current.step.name)
        with (directory / LOG_NAME).open("a", encoding="utf-8") as log:
            yield _TransferReporter(EventFile(directory / FILE_NAME), log, self._steps)

    def _wrap(self, execute: Callable[..., tuple[dict[str, Any], Status]]) -> Callable[..., Any]:
        def execute_known_step(**task: Any) -> tuple[dict[str, Any], Status]:
            if self.stopped or self.failure is not None:
                return {}, Status.FAILURE
            component, arguments = _component(task), _arguments(task)
            name = _step_name(component, arguments)
            outcome = self.outcomes.setdefault(name, StepOutcome(name))
            directory = self.folder.step(name)
            _record_task(directory, arguments)
            self._current.component, self._current.step = component, outcome
            self._current.end = None
            begin = time.monotonic()
            try:
                outputs, status = execute(**task)
            except Exception as error:
                outcome.status, outcome.error = "failed", f"{type(error).__name__}: {error}"
                raise
            outcome.seconds = time.monotonic() - begin
            outcome.outputs = {key: _plain(value) for key, value in outputs.items()}
            self._record_end(outcome, status, directory)
            return outputs, status

        return execute_known_step

    def _make_handler(
        self, image: str, full_command: list[str], env_vars: Mapping[str, str], **_: Any
    ) -> _StepHandler:
        return _StepHandler(lambda: self._run_step(image, full_command, env_vars))

    def _run_step(self, image: str, command: Sequence[str], variables: Mapping[str, str]) -> Status:
        """Run the step that this thread is executing."""
        outcome: StepOutcome = self._current.step
        directory = self.folder.step(outcome.name)
        task = StepTask(self._current.component, image, command, directory, variables)
        end = self._steps.run(task)
        if end.exit_code == 0 and (missing := _missing_outputs(command)):
            reason = f"the step ended without making {', '.join(missing)}; its log says more"
            end = StepEnd(1, reason)
        self._current.end, outcome.exit_code = end, end.exit_code
        return Status.SUCCESS if end.exit_code == 0 else Status.FAILURE

    def _record_end(self, outcome: StepOutcome, status: Status, directory: Path) -> None:
        end: StepEnd | None = self._current.end
        if status == Status.FAILURE:
            self._record_failure(outcome, end or StepEnd(1), directory)
        elif end is None:
            outcome.status = "cached"
            _record_hit(directory, outcome)
        else:
            outcome.status = "done"
            self._record_outputs(directory, outcome)

    def _record_outputs(self, directory: Path, outcome: StepOutcome) -> None:
        EventFile(directory / FILE_NAME).write("outputs", outputs=outcome.outputs)
        for place in outcome.outputs.values():
            if (maker := maker_file(self.folder.artifacts, place)) is not None:
                maker.write_text(f"{self.folder.name}\n", encoding="utf-8")

    def _record_failure(self, outcome: StepOutcome, end: StepEnd, directory: Path) -> None:
        errors = [
            event
            for event in EventReader(directory / FILE_NAME).read()
            if event["event"] == "error"
        ]
        outcome.status = "stopped" if self.stopped else "failed"
        if errors and end.reason is None:
            outcome.error, outcome.expected = errors[-1]["text"], errors[-1]["expected"]
        elif not self.stopped:
            outcome.error, outcome.expected = end.describe(), end.expected
            EventFile(directory / FILE_NAME).write(
                "error", text=outcome.error, expected=outcome.expected
            )


class _TransferReporter(StepReporter):
    """Ends a transfer when the run is asked to end; the next run goes on with it."""

    def __init__(self, events: EventFile, log: TextIO, steps: StepRunner) -> None:
        super().__init__(events, log)
        self._steps = steps

    def advance(self, amount: int = 1, **figures: float) -> None:
        if self._steps.stopping:
            raise InputError("the run was asked to end")
        super().advance(amount, **figures)


@dataclass(frozen=True)
class _StepHandler:
    """Stands in for kfp's handlers of tasks."""

    run: Callable[[], Status]


def _component(task: Mapping[str, Any]) -> str:
    return str(task["task_spec"].component_ref.name).removeprefix("comp-").replace("-", "_")


def _arguments(task: Mapping[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = OrchestratorUtils.make_task_arguments(
        task_inputs_spec=task["task_spec"].inputs, io_store=task["io_store"]
    )
    return arguments


def _step_name(component: str, arguments: Mapping[str, Any]) -> str:
    modality = arguments.get("modality")
    return f"{component}-{modality}" if modality else component


def _missing_outputs(command: Sequence[str]) -> list[str]:
    """Names of the artifacts that a step had to make, and that are not there."""
    executor_input = json.loads(command[list(command).index("--executor_input") + 1])
    declared = executor_input.get("outputs", {}).get("artifacts", {})
    return [
        name
        for name, made in sorted(declared.items())
        if not all(Path(artifact["uri"]).exists() for artifact in made["artifacts"])
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.uri if isinstance(value, dsl.Artifact) else value


def _is_artifact(value: Any) -> bool:
    several = value if isinstance(value, list) else [value]
    return any(isinstance(each, dsl.Artifact) for each in several)


def _record_task(directory: Path, arguments: Mapping[str, Any]) -> None:
    """Say what a step is told, before it starts."""
    inputs = {name: _plain(value) for name, value in arguments.items() if _is_artifact(value)}
    parameters = {name: value for name, value in arguments.items() if name not in inputs}
    EventFile(directory / FILE_NAME).write("queued", parameters=parameters, inputs=inputs)


def _record_hit(directory: Path, outcome: StepOutcome) -> None:
    places = [str(value) for value in outcome.outputs.values()]
    text = "nothing to do: the results of an earlier run with the same inputs and code are used\n"
    with (directory / LOG_NAME).open("a", encoding="utf-8") as log:
        log.write(text + "".join(f"  {place}\n" for place in places))
    EventFile(directory / FILE_NAME).write("cached", outputs=outcome.outputs)


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
