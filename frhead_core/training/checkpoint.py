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
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from frhead_core.errors import CheckpointError, InputError, NonFiniteLossError
from frhead_core.files import write_atomically
from frhead_core.progress import Reporter

FORMAT_VERSION = 1


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


def identity_hash(**identity: object) -> str:
    """Name of the checkpoint directory for everything that decides the trained weights."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class CheckpointDirectory:
    """The place of one model's checkpoints.

    Args:
        directory: Made when the lock is taken.
        threads: CPU threads of this process; arithmetic depends on their number.
        accept_different_threads: Whether to go on from a checkpoint made with another number.
    """

    def __init__(
        self, directory: Path, threads: int, accept_different_threads: bool = False
    ) -> None:
        self.directory = directory
        self.threads = threads
        self.accept_different_threads = accept_different_threads

    @property
    def path(self) -> Path:
        """The checkpoint file."""
        return self.directory / "checkpoint.pt"

    @contextmanager
    def exclusively(self, reporter: Reporter) -> Iterator[None]:
        """Hold the directory alone, waiting for another writer to finish.

        The operating system releases the lock when its holder dies, however it dies.
        """
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
            self._remove_unfinished()
            yield
        finally:
            lock.release()

    def _remove_unfinished(self) -> None:
        """Remove what a writer that was killed left half-written."""
        for path in self.directory.glob(".*.part"):
            path.unlink()

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, position: Position) -> None:
        """Write the state of training; the previous checkpoint stays if that fails.

        Raises:
            CheckpointError: If the file cannot be written, for example on a full disk.
            NonFiniteLossError: If a weight is not finite; such a state is never kept.
        """
        _refuse_non_finite(model, position)
        state = {
            "format_version": FORMAT_VERSION,
            "threads": self.threads,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": _random_states(),
            "position": dataclasses.asdict(position),
        }
        content = io.BytesIO()
        torch.save(state, content)
        self._write(self.path, content.getvalue())

    def load(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int
    ) -> Position | None:
        """Put the saved state into model, optimizer and random generators.

        Args:
            model: Changed in place.
            optimizer: Changed in place.
            epochs: Epochs to train; if all are done the number of threads does not matter, and
                that of the checkpoint is taken over.

        Returns:
            Where to go on, or None if there is no checkpoint.

        Raises:
            CheckpointError: If the file is damaged, of another version, or was made with another
                number of threads.
        """
        if not self.path.exists():
            return None
        state = self._read()
        position = Position(**state["position"])
        if position.epoch >= epochs:
            self.threads = state["threads"]
        self._check_threads(state["threads"])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        _restore_random_states(state["random"])
        return position

    def best_weights(self, epoch: int) -> Path:
        """Where the weights of an epoch are kept while it is the best (1-based)."""
        return self.directory / f"best-epoch-{epoch}.safetensors"

    def save_best(self, model: nn.Module, epoch: int) -> None:
        """Keep the weights of an epoch beside the checkpoint that will refer to them."""
        self._write(self.best_weights(epoch), to_safetensors(contiguous_state(model)))

    def remove_other_best(self, epoch: int) -> None:
        """Remove the weights of epochs that are no longer the best."""
        for path in sorted(self.directory.glob("best-epoch-*.safetensors")):
            if path != self.best_weights(epoch):
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

    def _check_threads(self, threads: int) -> None:
        if threads != self.threads and not self.accept_different_threads:
            raise CheckpointError(
                "was made with another number of threads, so the result would not be the one of "
                "an uninterrupted run",
                file=self.path,
                field="threads",
                found=threads,
                expected=self.threads,
                hint=f"Go on with --threads {threads}, or accept the difference with "
                "--accept-different-threads",
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


def _random_states() -> dict[str, Any]:
    """States of the generators that training draws from; the loader's draws need none."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def _restore_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
