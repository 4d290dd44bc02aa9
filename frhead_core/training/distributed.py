"""The processes that train one model together, and what they add up.

Each process has the whole model and an equal share of every batch. Its loss is the mean over its
share, so the loss of the batch is the mean over the processes, and so is its gradient. What is
added up before the loss, such as the sums of FR-Head and the statistics of batch normalisation, is
added up differentiably: then the averaged gradient is exactly that of one process with the whole
batch. A single process pays nothing: every method then returns what it was given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from frhead_core.errors import InputError, LostProcessError, RecipeError

RENDEZVOUS = "FRHEAD_RENDEZVOUS"
"""Environment variable: URL where the processes find each other, if not as torchrun says."""

# A process that ends is noticed at once. What may take long is that the leading one waits for
# another training that holds the checkpoints.
_PATIENCE = timedelta(days=7)
# So that whoever watches the processes sees first the one that ended first.
_SECONDS_BEFORE_GIVING_UP = 1.0


@dataclass(frozen=True)
class Processes:
    """The processes of a training as one of them sees them.

    Attributes:
        rank: Number of this process, from 0.
        count: How many there are.
        local_count: How many of them are on this machine.
    """

    rank: int = 0
    count: int = 1
    local_count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and reports."""
        return self.rank == 0

    def share_of_batch(self, size: int) -> slice:
        """Which samples of a batch belong to this process.

        Raises:
            RecipeError: If the batch cannot be divided into equal shares.
        """
        if size % self.count:
            raise RecipeError(
                "cannot be divided equally over the processes",
                field="training.batch_size",
                found=size,
                expected=f"a multiple of {self.count}, the number of processes",
            )
        share = size // self.count
        return slice(self.rank * share, (self.rank + 1) * share)

    def share_of_rows(self, rows: np.ndarray) -> np.ndarray:
        """The rows that this process scores; :meth:`of_all_rows` puts the results together."""
        return rows[self.rank :: self.count]

    def of_all_rows(self, values: np.ndarray, rows: int) -> np.ndarray:
        """Results of all ``rows``, (rows, K), from those of this process's rows."""
        if self.count == 1:
            return values
        whole = np.zeros((rows, values.shape[1]), dtype=values.dtype)
        whole[self.rank :: self.count] = values
        total: Tensor = self.total(torch.from_numpy(whole))
        return total.numpy()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def total(self, x: Tensor) -> Tensor:
        """Sum of ``x`` over the processes, with gradient if ``x`` has one."""
        if self.count == 1:
            return x
        total: Tensor = _Total.apply(x)  # type: ignore[no-untyped-call]
        return total

    def gathered(self, x: Tensor) -> list[Tensor]:
        """``x`` of every process, by rank; of equal shapes, without gradient."""
        if self.count == 1:
            return [x]
        every = [torch.empty_like(x) for _ in range(self.count)]
        _together(dist.all_gather, every, x.contiguous())
        return every

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the processes into tensors of one dtype, all in one message."""
        if self.count == 1 or not tensors:
            return
        mean = torch.cat([tensor.flatten() for tensor in tensors])
        _together(dist.all_reduce, mean)
        mean /= self.count
        parts = torch.split(mean, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag as set by any of the processes: so all of them decide alike."""
        if self.count == 1:
            return flags
        return tuple(self.total(torch.tensor(flags, dtype=torch.int32)).bool().tolist())

    def wait(self) -> None:
        """Until all of the processes have come here."""
        self.agree(False)


ALONE = Processes()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        _together(dist.all_reduce, total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # The loss of every process depends on this process's summand.
        return _Total.forward(ctx, gradient)


def _together(operation: Callable[..., Any], *arguments: Any) -> None:
    """An operation in which all processes take part.

    Raises:
        LostProcessError: If one of them is no longer there.
    """
    try:
        operation(*arguments)
    except RuntimeError as error:
        time.sleep(_SECONDS_BEFORE_GIVING_UP)
        raise LostProcessError(
            "another process of this training ended; the same command goes on from the last "
            "checkpoint"
        ) from error


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun, or something that sets its variables, has started.

    Raises:
        InputError: If there are more processes than GPUs.
        LostProcessError: If another process ended while they were joining.
    """
    processes = this_process()
    if processes.count == 1:
        yield ALONE
        return
    if device.type == "cuda":
        _use_own_gpu()
    _together(
        lambda: dist.init_process_group(
            backend_for(device),
            init_method=os.environ.get(RENDEZVOUS, "env://"),
            rank=processes.rank,
            world_size=processes.count,
            timeout=_PATIENCE,
        )
    )
    try:
        yield processes
    finally:
        dist.destroy_process_group()


def this_process() -> Processes:
    """What the environment says of this process; alone without a word."""
    count = _number("WORLD_SIZE", 1)
    return Processes(_number("RANK", 0), count, _number("LOCAL_WORLD_SIZE", 1))


def _number(variable: str, default: int) -> int:
    return int(os.environ.get(variable, str(default)))


def backend_for(device: torch.device) -> str:
    """What carries the messages: for GPUs nccl, and gloo for what lies in main memory."""
    return "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"


def _use_own_gpu() -> None:
    own, gpus = _number("LOCAL_RANK", 0), torch.cuda.device_count()
    if own >= gpus:
        raise InputError(
            "more processes than GPUs on this machine",
            field="processes",
            found=f"process {own + 1}",
            expected=f"at most {gpus}, or --device cpu",
        )
    torch.cuda.set_device(own)
