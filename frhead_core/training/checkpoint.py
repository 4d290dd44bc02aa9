"""Checkpoints: everything that the rest of a training run depends on, written atomically.

A checkpoint's directory is named by a hash of what decides the result (code, data, recipe,
modality, seed), so whoever trains the same model goes on from there, whichever run it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from frhead_core.errors import CheckpointError, InputError, NonFiniteLossError
from frhead_core.files import write_atomically
from frhead_core.progress import Reporter
from frhead_core.training.checkpoint_keeper import (
    DIRECTORY_ALONE,
    CheckpointKeeper,
    HeldCheckpoint,
)
from frhead_core.training.distributed import ALONE, Processes

FORMAT_VERSION = 2


@dataclasses.dataclass
class Position:
    """How far training has come, and what has been measured on the way.

    ``epoch``: 0-based epoch under way. ``batch``: batches of it that are done. ``sums``: loss
    and accuracy sums over them. ``history``: one row per finished epoch. ``best``: the row of the
    best finished epoch, the earliest of equals.
    """

    epoch: int = 0
    batch: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best: dict[str, Any] | None = None


class TrainingState(NamedTuple):
    """What training changes. ``average``: the moving average of the weights, if one is kept."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: nn.Module | None = None


def identity_hash(**identity: object) -> str:
    """Name of the checkpoint directory for everything that decides the trained weights."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class CheckpointDirectory:
    """The place of one model's checkpoints.

    Of several processes that train the model all call the same methods, and the leading one writes.

    Args:
        directory: Made when the lock is taken.
        threads: CPU threads of this process; arithmetic depends on their number.
        accept_different_threads: Whether to go on from a checkpoint made with another number.
        processes: Those that train the model; arithmetic depends on their number, too.
        accept_different_processes: Whether to go on from a checkpoint made by another number.
        keeper: Keeps checkpoints elsewhere, too.
    """

    def __init__(
        self,
        directory: Path,
        threads: int,
        accept_different_threads: bool = False,
        processes: Processes = ALONE,
        accept_different_processes: bool = False,
        keeper: CheckpointKeeper = DIRECTORY_ALONE,
    ) -> None:
        self.directory = directory
        self.threads = threads
        self.processes = processes
        self.process_count = processes.count
        self.accept_different_threads = accept_different_threads
        self.accept_different_processes = accept_different_processes
        self.keeper = keeper
        self._held: HeldCheckpoint = DIRECTORY_ALONE

    @property
    def path(self) -> Path:
        """The checkpoint file."""
        return self.directory / "checkpoint.pt"

    @contextmanager
    def exclusively(self, reporter: Reporter) -> Iterator[None]:
        """Hold the directory alone, waiting for another writer to finish.

        The operating system releases the lock when its holder dies, however it dies. Of several
        processes the leading one holds it for all.
        """
        if not self.processes.leads:
            self.processes.wait()
            yield
            return
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"cannot be made ({error.strerror})", file=self.directory
            ) from error
        lock = FileLock(self.directory / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            reporter.message(f"waiting: another process is training this model in {self.directory}")
            lock.acquire()
        try:
            Path(lock.lock_file).touch()  # when it was used last, also if nothing is trained
            self._remove_unfinished()
            with self.keeper.hold(self.directory, reporter) as self._held:
                self.processes.wait()
                yield
        finally:
            lock.release()

    def _remove_unfinished(self) -> None:
        """Remove what a writer that was killed left half-written."""
        for path in self.directory.glob(".*.part"):
            path.unlink()

    def save(self, trained: TrainingState, position: Position) -> None:
        """Write the state of training; the previous checkpoint stays if that fails.

        Raises:
            CheckpointError: If the file cannot be written, for example on a full disk, or
                another process has taken the checkpoint over.
            NonFiniteLossError: If a weight is not finite; such a state is never kept.
        """
        _refuse_non_finite(trained.model, position)
        random_states = self.processes.gathered(_random_state())
        if not self.processes.leads:
            return
        state = {
            "format_version": FORMAT_VERSION,
            "threads": self.threads,
            "processes": self.process_count,
            "trained": {
                name: None if part is None else part.state_dict()
                for name, part in trained._asdict().items()
            },
            "random": random_states,
            "position": dataclasses.asdict(position),
        }
        content = io.BytesIO()
        torch.save(state, content)
        self._write(self.path, content.getvalue())
        self._held.saved()

    def finish(self) -> None:
        """Wait until the last checkpoint is also where the keeper keeps it.

        Raises:
            CheckpointError: If it cannot be; it stays in the directory.
        """
        if self.processes.leads:
            self._held.finish()

    def load(self, trained: TrainingState, epochs: int) -> Position | None:
        """Put the saved state into model, optimizer and random generators.

        Args:
            trained: Changed in place.
            epochs: Epochs to train; if all are done the numbers of threads and processes do not
                matter, and those of the checkpoint are taken over.

        Returns:
            Where to go on, or None if there is no checkpoint.

        Raises:
            CheckpointError: If the file is damaged, of another version, or was made with another
                number of threads or processes.
        """
        if not self.path.exists():
            return None
        state = self._read()
        position = Position(**state["position"])
        threads, count = state["threads"], state["processes"]
        if position.epoch >= epochs:
            self.threads, self.process_count = threads, count
        self._check_same("threads", threads, self.threads, self.accept_different_threads)
        self._check_same("processes", count, self.process_count, self.accept_different_processes)
        for name, part in trained._asdict().items():
            if part is not None:
                part.load_state_dict(state["trained"][name])
        if self.processes.rank < len(state["random"]):
            _restore_random_state(state["random"][self.processes.rank])
        return position

    def best_weights(self, epoch: int) -> Path:
        """Where the weights of an epoch are kept while it is the best (1-based)."""
        return self.directory / f"best-epoch-{epoch}.safetensors"

    def save_best(self, model: nn.Module, epoch: int) -> None:
        """Keep the weights of an epoch beside the checkpoint that will refer to them."""
        if self.processes.leads:
            self._write(self.best_weights(epoch), to_safetensors(contiguous_state(model)))

    def remove_other_best(self, epoch: int) -> None:
        """Remove the weights of epochs that are no longer the best."""
        for path in sorted(self.directory.glob("best-epoch-*.safetensors")):
            if self.processes.leads and path != self.best_weights(epoch):
                path.unlink()

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_atomically(path, content)
        except InputError as error:
            raise CheckpointError(
                error.problem,
                file=path,
                hint="Make room and run the same command again: it goes on from the last complete "
                "checkpoint, if there is one",
            ) from error

    def _read(self) -> dict[str, Any]:
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            version = state["format_version"]
        except Exception as error:  # torch raises many kinds for a damaged file
            raise CheckpointError(
                f"is not a readable checkpoint ({type(error).__name__})",
                file=self.path,
                hint="Remove its directory to train from the start",
            ) from error
        if version != FORMAT_VERSION:
            raise CheckpointError(
                "was made by another version",
                file=self.path,
                field="format_version",
                found=version,
                expected=FORMAT_VERSION,
                hint="Remove its directory to train from the start",
            )
        return dict(state)

    def _check_same(self, what: str, found: int, own: int, accepted: bool) -> None:
        """Refuse a checkpoint of another number of threads or processes."""
        if found != own and not accepted:
            raise CheckpointError(
                f"was made with another number of {what}, so the result would not be the one of "
                "an uninterrupted run",
                file=self.path,
                field=what,
                found=found,
                expected=own,
                hint=f"Go on with --{what} {found}, or accept the difference with "
                f"--accept-different-{what}",
            )


def contiguous_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model on the CPU, as safetensors wants it."""
    return {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}


def _refuse_non_finite(model: nn.Module, position: Position) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise NonFiniteLossError(
                f"{name} is not finite after epoch {position.epoch + 1}, batch {position.batch}; "
                "the last good checkpoint is kept"
            )


def _random_state() -> Tensor:
    """State of the generators that training draws from, of the CPU and then of this GPU, uint8.

    The loader's draws need none.
    """
    state = torch.get_rng_state()
    return torch.cat((state, torch.cuda.get_rng_state())) if torch.cuda.is_available() else state


def _restore_random_state(state: Tensor) -> None:
    cpu, gpu = state.tensor_split([len(torch.get_rng_state())])
    torch.set_rng_state(cpu)
    if torch.cuda.is_available() and len(gpu):
        torch.cuda.set_rng_state(gpu)
