"""What surrounds the body of every step: its log, its events, its errors, its end.

What a result does not depend on reaches a step through the environment of its process and not as
a parameter: a parameter is part of the cache key, and another run folder, another number of threads
or another place for checkpoints must not repeat a step. Without a step folder (on a cluster) there
is only the standard output, which the cluster keeps as the log.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from components import lifeline
from components.events import FILE_NAME, EventFile, StepReporter
from frhead_core.errors import FRHeadError
from frhead_core.files import has_scheme

STEP_DIRECTORY = "FRHEAD_STEP_DIRECTORY"
RUN_DIRECTORY = "FRHEAD_RUN_DIRECTORY"
CHECKPOINT_ROOT = "FRHEAD_CHECKPOINT_ROOT"
CHECKPOINT_MIRRORS = "FRHEAD_CHECKPOINT_MIRRORS"
THREADS = "FRHEAD_THREADS"
PROCESSES = "FRHEAD_PROCESSES"
ACCEPT_DIFFERENT_THREADS = "FRHEAD_ACCEPT_DIFFERENT_THREADS"
ACCEPT_DIFFERENT_PROCESSES = "FRHEAD_ACCEPT_DIFFERENT_PROCESSES"

STOPPED = 143  # what a shell reports of a process that SIGTERM ended


def checkpoint_root() -> str:
    """Where training keeps its checkpoints: a path or URI that outlives the run."""
    return os.environ.get(CHECKPOINT_ROOT, "checkpoints")


def checkpoint_folder() -> Path:
    """Where on this machine the checkpoints of the root lie, as long as a step works with them.

    For a root elsewhere that is a mirror of it: a temporary folder, unless the environment names a
    better one.
    """
    root, mirrors = checkpoint_root(), os.environ.get(CHECKPOINT_MIRRORS)
    if has_scheme(root) and mirrors is None:
        return Path(tempfile.mkdtemp(prefix="frhead-checkpoints-"))
    return folder_of(root, Path(mirrors or ""))


def folder_of(root: Path | str, mirrors: Path) -> Path:
    """The folder of a checkpoint root: itself, or of one elsewhere its mirror below ``mirrors``."""
    return mirrors / input_hash(str(root)) if has_scheme(root) else Path(root)


def run_name() -> str:
    """Name of the run where it has a folder; else empty."""
    return Path(os.environ.get(RUN_DIRECTORY, "")).name


def progress_directory(step: str, *inputs: str) -> Path | None:
    """Where a step leaves what it has done, so that it goes on there after an interruption.

    Args:
        step: Name of the step.
        inputs: Everything that its result depends on: only equal ones find it again.

    Returns:
        A place that does not depend on the run; None where no place outlives the step.
    """
    if CHECKPOINT_ROOT not in os.environ:
        return None
    if has_scheme(checkpoint_root()) and CHECKPOINT_MIRRORS not in os.environ:
        return None
    return checkpoint_folder() / f"prepare-{input_hash(step, *inputs)}"


def input_hash(*inputs: str) -> str:
    """A short name for what a result depends on: 16 hex digits."""
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def threads() -> int:
    """How many threads each process of a step may use; 0 leaves it to the libraries."""
    return int(os.environ.get(THREADS, "0"))


def processes() -> int:
    """How many processes train a model together."""
    return int(os.environ.get(PROCESSES, "1"))


def accept_different_threads() -> bool:
    """Whether training may go on from a checkpoint of another number of threads."""
    return os.environ.get(ACCEPT_DIFFERENT_THREADS, "") == "1"


def accept_different_processes() -> bool:
    """Whether training may go on from a checkpoint of another number of processes."""
    return os.environ.get(ACCEPT_DIFFERENT_PROCESSES, "") == "1"


def step_reporter() -> StepReporter:
    """Reports the progress of this process's step, also from a process that the step started."""
    return StepReporter(_event_file())


def _event_file() -> EventFile:
    directory = os.environ.get(STEP_DIRECTORY)
    return EventFile(Path(directory) / FILE_NAME if directory else None)


@contextmanager
def step() -> Iterator[StepReporter]:
    """Run the body of a step: report its start and end, and turn errors into exit codes.

    Raises:
        SystemExit: With 2 for an error that the user can mend, 1 for any other, 143 when asked
            to stop.
    """
    events = _event_file()
    if os.environ.get(STEP_DIRECTORY):
        lifeline.follow(Path(os.environ[RUN_DIRECTORY]))
        # So that open files are closed and temporary ones removed on the way out.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    events.write("started")
    try:
        yield StepReporter(events)
    except FRHeadError as error:
        print(f"error: {error}", flush=True)
        _fail(events, str(error), error.exit_code, expected=True)
    except KeyboardInterrupt:
        events.write("stopped")
        raise SystemExit(STOPPED) from None
    except Exception as error:
        traceback.print_exc()
        _fail(events, f"{type(error).__name__}: {error}", 1, expected=False)
    events.write("finished")


def _fail(events: EventFile, text: str, exit_code: int, *, expected: bool) -> NoReturn:
    events.write("error", text=text, expected=expected)
    raise SystemExit(exit_code)
