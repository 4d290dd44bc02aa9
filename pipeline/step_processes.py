"""Steps as processes: started, watched and ended by this program, each in a group of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from kfp import local

from components.runtime import RUN_DIRECTORY, STEP_DIRECTORY
from pipeline.code_version import package_root
from pipeline.step_runner import StepEnd, StepTask

LOG_NAME = "log.txt"
SECONDS_TO_END = 30.0  # time to finish a batch and write a checkpoint


class StepProcesses:
    """All step processes of a run.

    Args:
        run_directory: The run folder, whose lifeline this program holds.
        environment: Variables for every step.
    """

    def __init__(self, run_directory: Path, environment: Mapping[str, str]) -> None:
        self._run_directory = run_directory
        self._environment = dict(environment)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self.stopping = False

    def kfp_runner(self) -> local.SubprocessRunner:
        """The runner that kfp.local is set up with."""
        return local.SubprocessRunner(use_venv=False)

    def run(self, task: StepTask) -> StepEnd:
        """Run one step to its end, its output going to the step's log."""
        # kfp's script makes a temporary folder and leaves it behind; here it goes with the step.
        with (
            tempfile.TemporaryDirectory(prefix="frhead-step-") as temporary,
            (task.directory / LOG_NAME).open("ab") as log,
        ):
            process = self._start(
                with_python(task.command, f'"{sys.executable}"'),
                self._step_environment(task.directory, temporary) | dict(task.variables),
                log.fileno(),
            )
            if process is None:
                return StepEnd(-signal.SIGTERM)
            try:
                return StepEnd(process.wait())
            finally:
                with self._lock:
                    self._running.discard(process)

    def stop(self) -> None:
        """End all steps, gently at first; at the second call at once. New ones do not start."""
        sign = signal.SIGKILL if self.stopping else signal.SIGTERM
        self._signal_all(sign)
        if sign == signal.SIGTERM:
            timer = threading.Timer(SECONDS_TO_END, self._signal_all, [signal.SIGKILL])
            timer.daemon = True
            timer.start()

    def _start(
        self, command: list[str], environment: dict[str, str], log: int
    ) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self.stopping:
                return None
            # A group of its own: Ctrl-C on the terminal reaches this program alone, which then
            # ends the group, data loading workers included.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def _signal_all(self, sign: signal.Signals) -> None:
        self.stopping = True
        for process in list(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sign)

    def _step_environment(self, step_directory: Path, temporary: str) -> dict[str, str]:
        """The step imports the very packages that this program runs from."""
        path = [str(package_root()), os.environ.get("PYTHONPATH", "")]
        return (
            os.environ
            | self._environment
            | {
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
                "PYTHONSAFEPATH": "1",
                "PYTHONUNBUFFERED": "1",
                "TMPDIR": temporary,
                RUN_DIRECTORY: str(self._run_directory),
                STEP_DIRECTORY: str(step_directory),
            }
        )


def with_python(command: Sequence[str], interpreter: str) -> list[str]:
    """The command with an interpreter in place of ``python3``, in the shell script alone.

    kfp replaces the word everywhere, also in paths and parameters that happen to contain it. And
    the interpreter takes the shell's place, so that signals and exit codes are the step's own.
    """
    shell, option, script, *rest = command
    return [shell, option, script.replace("python3", f"exec {interpreter}"), *rest]
