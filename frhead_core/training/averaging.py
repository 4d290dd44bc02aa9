"""A moving average of the weights, which is often better than the last weights themselves.

Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, in the
exponential form. The statistics of batch normalisation and the prototypes are averaged alike.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Tensors = tuple[Tensor, ...] | list[Tensor]

_EARLY = 10  # updates; the average of few weights is mostly that of the newest


class WeightAverage(AveragedModel):
    """The average over the updates so far; ``module`` is a model with the averaged weights.

    Args:
        model: The model that is trained.
        decay: Weight of the old average at each update; it is less for the first updates.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        def average(averages: Tensors, newest: Tensors, updates: Tensor | int) -> None:
            early = (1 + int(updates)) / (_EARLY + int(updates))
            take_in = get_ema_multi_avg_fn(min(decay, early))  # type: ignore[no-untyped-call]
            take_in(averages, newest, updates)

        super().__init__(model, multi_avg_fn=average, use_buffers=True)
