"""Starting the processes of a training on one machine, and ending all of them when one ends.

What torchrun does, with less: nothing listens on the network, as the processes find each other
through a file, and an error stays one message. torchrun itself works as well, also over several
machines.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from torch.multiprocessing.spawn import (
    ProcessContext,
    ProcessExitedException,
    start_processes,
)

from frhead_core.errors import FRHeadError, InputError, LostProcessError
from frhead_core.progress import Reporter
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.distributed import RENDEZVOUS, Processes, this_process
from frhead_core.training.loop import TrainedModel, TrainingJob, train

_STOPPED = 130
_SECONDS_TO_END = 30.0  # time to finish a batch and keep a checkpoint once another has ended


def train_in_processes(
    job: TrainingJob, count: int, make_reporter: Callable[[], Reporter]
) -> TrainedModel:
    """Train one modality in ``count`` processes of this machine, or in this one if it is 1.

    Args:
        job: What to train; ``threads`` are those of each process.
        count: How many processes; on GPUs each has one of its own.
        make_reporter: Makes what receives the progress, in the process that reports. A function
            of a module, as it has to reach that process.

    Raises:
        RecipeError: If the batch cannot be divided into so many equal shares.
        FRHeadError: What :func:`~frhead_core.training.loop.train` raises, in whichever process.
        LostProcessError: If a process was killed.
        KeyboardInterrupt: If the training was asked to stop.
    """
    if count == 1:
        return train(job, make_reporter())
    if this_process().count > 1:
        raise InputError("torchrun has started the processes already", field="processes")
    Processes(count=count).share_of_batch(job.recipe.training.batch_size)
    with tempfile.TemporaryDirectory(prefix="frhead-processes-") as folder:
        arguments = (count, Path(folder), job, make_reporter)
        context = start_processes(  # type: ignore[no-untyped-call]
            _train_as_one_of_them, arguments, nprocs=count, join=False, start_method="spawn"
        )
        _watch(context, Path(folder))
    return TrainedModel(job.output, ModelArtifact.open(job.output).metadata["metrics"])


def _train_as_one_of_them(
    rank: int, count: int, folder: Path, job: TrainingJob, make_reporter: Callable[[], Reporter]
) -> None:
    """What each process runs."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        RENDEZVOUS: (folder / "rendezvous").as_uri(),
    }
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # they are all on this machine
    try:
        train(job, make_reporter() if rank == 0 else None)
    except FRHeadError as error:
        _error_file(folder, rank).write_text(str(error), encoding="utf-8")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(_STOPPED)


def _error_file(folder: Path, rank: int) -> Path:
    return folder / f"error-of-{rank}"


def _watch(context: ProcessContext, folder: Path) -> None:
    """Wait until all processes are done; pass requests to stop on to them."""
    with _passed_on(context):
        try:
            while not context.join(grace_period=_SECONDS_TO_END):
                pass
        except ProcessExitedException as error:
            _explain(error, len(context.processes), folder)


@contextmanager
def _passed_on(context: ProcessContext) -> Iterator[None]:
    """Pass the first request to stop on to the processes; kill them at the second."""
    asked: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        for process in context.processes:
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL if asked else signal.SIGTERM)
        asked.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, receive) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _explain(error: ProcessExitedException, count: int, folder: Path) -> NoReturn:
    """What the process that ended first has to say, in this one."""
    rank = error.error_index
    file = _error_file(folder, rank)
    if file.exists():
        lost = error.exit_code == LostProcessError.exit_code
        kind = LostProcessError if lost else FRHeadError
        raise kind(file.read_text(encoding="utf-8")) from error
    if error.exit_code == _STOPPED:
        raise KeyboardInterrupt from error
    how = error.signal_name or f"exit code {error.exit_code}"
    raise LostProcessError(
        f"process {rank + 1} of {count} ended with {how}, so all of them were ended; the same "
        "command goes on from the last checkpoint"
    ) from error
