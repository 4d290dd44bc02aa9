"""Batch normalisation with the statistics of the whole batch, whatever process has which samples.

PyTorch has this for GPUs alone.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frhead_core.training.distributed import Processes


class SynchronisedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over axis 1 of a batch that is spread over processes.

    Its state is that of ``nn.BatchNorm1d``. In evaluation it is that, too.

    Args:
        channels: Channels C.
        processes: Those that have the rest of the batch, in shares of equal size.
    """

    def __init__(self, channels: int, processes: Processes) -> None:
        super().__init__(channels)
        self.processes = processes

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same shape and dtype."""
        if not self.training:
            return super().forward(x)
        y, mean, variance = _Normalisation.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps, self.processes
        )
        self._update_running_statistics(mean, variance, x.numel() // x.shape[1])
        normalised: Tensor = y
        return normalised

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards those of this batch, the variance unbiased."""
        count *= self.processes.count
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes after the channels will do."""


def synchronise_batch_norm(model: nn.Module, processes: Processes) -> None:
    """Put synchronised layers in the place of a model's batch normalisations, with their state."""
    for module in list(model.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, name, _synchronised(layer, processes))


def _synchronised(layer: nn.BatchNorm1d | nn.BatchNorm2d, processes: Processes) -> nn.Module:
    """A synchronised layer that shares parameters and buffers with another one."""
    result = SynchronisedBatchNorm(layer.num_features, processes)
    result.eps, result.momentum, result.training = layer.eps, layer.momentum, layer.training
    for name, parameter in layer.named_parameters():
        setattr(result, name, parameter)
    for name, buffer in layer.named_buffers():
        setattr(result, name, buffer)
    return result


class _Normalisation(torch.autograd.Function):
    """Two messages for each layer: the moments on the way there, two sums on the way back."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, processes: Processes
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _moments(x, processes)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps, ctx.processes = eps, processes
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps), mean, variance

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor, *_: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, weight, mean, variance = ctx.saved_tensors
        # As if mean and variance were constants; the sums are over this process's samples.
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        # What the mean and the variance add needs the sums over all samples.
        sums = ctx.processes.total(torch.stack((of_bias, of_weight)))
        count = x.numel() // x.shape[1] * ctx.processes.count
        inverse_deviation = (variance + ctx.eps).rsqrt()
        through_mean, through_variance = sums * weight * inverse_deviation / count
        slope = through_variance * inverse_deviation
        offset = through_mean - slope * mean
        # Both terms in float32 before they are subtracted: each may be large where x is.
        through_both = torch.addcmul(_by_channel(offset, x), x, _by_channel(slope, x))
        return of_x.sub_(through_both), of_weight, of_bias, None, None


def _moments(x: Tensor, processes: Processes) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of (N, C, ...) over all processes."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    axes, count = (0, *range(2, x.dim())), x.numel() // x.shape[1]
    # Not torch's own variance, which adds up number by number.
    own_mean = x.sum(axes, dtype=dtype) / count
    deviation = x - _by_channel(own_mean, x)
    own_variance = torch.linalg.vector_norm(deviation, dim=axes).square() / count
    every = torch.stack(processes.gathered(torch.stack((own_mean, own_variance))))
    means, variances = every.unbind(1)  # each (processes, C)
    mean = means.mean(0)
    # Not from a mean of squares, which would lose what a large mean leaves of the digits.
    return mean, (variances + (means - mean).square()).mean(0)


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    """Values (C,) in a form that goes with ``x``, (N, C, ...)."""
    return values.view(-1, *(1,) * (x.dim() - 2))
