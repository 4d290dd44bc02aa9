"""A model that several processes train: what it adds up on the way to its loss, and after it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from frhead_core.models.fr_head import PrototypeContrast
from frhead_core.training.distributed import Processes
from frhead_core.training.synchronised_batch_norm import synchronise_batch_norm


class SharedModel:
    """Connects the copies of a model in all processes; of a lone one it changes nothing.

    All copies stay equal, bit for bit: what changes them is the same number in every process.

    Args:
        model: The copy of this process; it is changed in place.
        processes: Those that train it.
        synchronise: Whether batch normalisation sees the whole batch. If not, each process
            normalises by the statistics of its own share, and the running statistics that
            evaluation uses are the means of theirs.
    """

    def __init__(self, model: nn.Module, processes: Processes, synchronise: bool) -> None:
        self._parameters = list(model.parameters())
        self._processes = processes
        self._statistics: list[Tensor] = []
        if processes.count == 1:
            return
        for module in model.modules():
            if isinstance(module, PrototypeContrast):
                module.total = processes.total
        if synchronise:
            synchronise_batch_norm(model, processes)
        else:
            self._statistics = _running_statistics(model)

    def average(self) -> None:
        """Give every copy the gradient of the whole batch, and the same running statistics."""
        gradients = [each.grad for each in self._parameters if each.grad is not None]
        self._processes.average([*gradients, *self._statistics])


def _running_statistics(model: nn.Module) -> list[Tensor]:
    return [
        buffer
        for name, buffer in model.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    ]


def draw_differently(seed: int, processes: Processes) -> None:
    """Let each process draw numbers of its own, for dropout, once all have drawn equal weights.

    The leading one goes on drawing as a lone process does.
    """
    if not processes.leads:
        sequence = np.random.SeedSequence((seed, processes.rank))
        torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> 1))
