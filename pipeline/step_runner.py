"""What the local engine asks of whatever runs its steps: processes or containers."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class StepTask:
    """One step to be run.

    Attributes:
        name: The step's component.
        image: What kfp would run it in.
        command: kfp's: a shell script, the step's source, and its arguments.
        directory: The step's folder in the run folder.
        variables: Environment variables of this step.
    """

    name: str
    image: str
    command: Sequence[str]
    directory: Path
    variables: Mapping[str, str]


@dataclass(frozen=True)
class StepEnd:
    """How a step ended.

    Attributes:
        exit_code: Negative for the number of the signal that ended it.
        reason: What went wrong, where the runner knows more about it than the exit code says.
        expected: Whether the reason is something that the user can mend.
    """

    exit_code: int
    reason: str | None = None
    expected: bool = False

    def describe(self) -> str:
        """What went wrong, for a step that has not said so itself."""
        if self.reason is not None:
            return self.reason
        if self.exit_code >= 0:
            return f"the step ended with exit code {self.exit_code}; its log says more"
        more = " (out of memory?)" if -self.exit_code == signal.SIGKILL else ""
        return f"the step was ended by signal {signal.Signals(-self.exit_code).name}{more}"


class StepRunner(Protocol):
    """Runs steps and ends them."""

    stopping: bool
    """Whether steps were asked to end before their time; no new one starts then."""

    def kfp_runner(self) -> Any:
        """The runner that kfp.local is set up with."""

    def run(self, task: StepTask) -> StepEnd:
        """Run one step to its end, its output going to the step's log."""

    def stop(self) -> None:
        """End all steps, gently at first; at the second call at once."""
