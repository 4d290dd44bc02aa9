"""The operations of a network whose feature maps are (C, ...), channels outermost.

Everything here has the result of the usual layers; only the layout differs.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelMap(nn.Linear):
    """A 1x1 convolution over (ci, ...): one matrix product."""

    def reset(self, deviation: float) -> None:
        """Draw the weights from N(0, deviation^2), and no bias."""
        nn.init.normal_(self.weight, 0.0, deviation)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(ci, ...) to (co, ...)."""
        return mapped(self.weight, self.bias, x)


def mapped(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """A 1x1 convolution with weight (co, ci) and bias (co,): (ci, ...) to (co, ...)."""
    y = torch.addmm(bias.unsqueeze(1), weight, x.flatten(1))
    return y.view(-1, *x.shape[1:])


def normalised(
    normalisation: nn.Module, x: Tensor, plus: Tensor | None = None, rectify: bool = False
) -> Tensor:
    """Batch normalisation of (C, ...) over all axes but the first.

    Args:
        normalisation: A batch normalisation of (N, C, L).
        x: (C, ...).
        plus: Added to the result, of the shape of ``x``.
        rectify: Set what is negative then to zero.
    """
    y: Tensor
    if type(normalisation) is nn.BatchNorm1d and _slow_to_normalise(normalisation, x):
        y = _normalised_in_training(normalisation, x.reshape(len(x), -1))
    else:
        y = normalisation(x.reshape(1, len(x), -1))
    # In place: batch normalisation needs its input for the gradient, but not its output.
    if plus is not None:
        y = y.add_(plus.reshape(y.shape))
    if rectify:
        y = y.relu_()
    return y.view(x.shape)


def _slow_to_normalise(normalisation: nn.BatchNorm1d, x: Tensor) -> bool:
    """Whether torch adds up the statistics number by number."""
    return (
        normalisation.training
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
    )


def _normalised_in_training(normalisation: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Batch normalisation of (C, P) by its own statistics, which the running ones take in."""
    y, mean, variance = _Normalise.apply(  # type: ignore[no-untyped-call]
        x, normalisation.weight, normalisation.bias, normalisation.eps
    )
    counter, momentum = normalisation.num_batches_tracked, normalisation.momentum
    running_mean, running_variance = normalisation.running_mean, normalisation.running_var
    assert running_mean is not None and running_variance is not None
    assert counter is not None and momentum is not None
    counter.add_(1)
    running_mean.lerp_(mean, momentum)
    running_variance.lerp_(variance * (x.shape[1] / (x.shape[1] - 1)), momentum)
    return cast(Tensor, y)


class _Normalise(torch.autograd.Function):
    """Vectorised passes, where torch's own loop adds up each channel number by number."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean = x.mean(1)
        y = x - mean[:, None]
        variance = torch.linalg.vector_norm(y, dim=1).square_() / x.shape[1]
        inverse = torch.rsqrt(variance + epsilon)
        y.mul_((weight * inverse)[:, None]).add_(bias[:, None])
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.epsilon = epsilon
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, inverse = ctx.saved_tensors
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient[None],
            x[None],
            weight,
            None,
            None,
            mean,
            inverse,
            True,
            ctx.epsilon,
            (True, True, True),
        )
        return of_x[0], of_weight, of_bias, None


def channel_convolution(convolution: nn.Module, x: Tensor) -> Tensor:
    """A 2D convolution with a kernel (1, k) over the frames of (C, n, V, T)."""
    y: Tensor = convolution(x.flatten(1, 2).unsqueeze(0))
    return y.view(y.shape[1], *x.shape[1:3], y.shape[3])


def maximum_of_three(x: Tensor, stride: int) -> Tensor:
    """Maximum over a frame and its neighbours: max-pooling of (..., T), size 3 and padding 1.

    Returns:
        (..., ceil(T / stride)).
    """
    y: Tensor = _MaximumOfThree.apply(x, stride)  # type: ignore[no-untyped-call]
    return y


class _MaximumOfThree(torch.autograd.Function):
    """Max-pooling with frames innermost is not vectorised by torch; comparing shifted rows is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int) -> Tensor:
        padded = F.pad(x, (1, 1), value=-torch.inf)
        ctx.save_for_backward(padded)
        ctx.stride = stride
        sides = torch.maximum(padded[..., :-2:stride], padded[..., 2::stride])
        return torch.maximum(sides, padded[..., 1:-1:stride])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (padded,) = ctx.saved_tensors
        spread = gradient.new_zeros(padded.shape)
        spread[..., : -2 : ctx.stride] = gradient
        # All rows as one: what reaches over the end of a row meets the zeros in ``spread``.
        values, spread = padded.flatten(), spread.flatten()[:-2]
        left, middle, right = values[:-2], values[1:-1], values[2:]
        to_sides = spread.masked_fill(middle >= torch.maximum(left, right), 0)
        to_left = to_sides.masked_fill(left < right, 0)
        result = torch.zeros_like(values)
        torch.sub(spread, to_sides, out=result[1:-1])
        result[:-2] += to_left
        result[2:] += to_sides.sub_(to_left)
        return result.view(padded.shape)[..., 1:-1], None


def float_mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Mean over some axes, accumulated and returned in float32, or in float64 as ``x`` is."""
    dtype = x.dtype if x.dtype == torch.float64 else torch.float32
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    # Sum and division rather than mean: the gradient stays small until it is added to others.
    return x.sum(axes, dtype=dtype) / count


class GraphOperands(NamedTuple):
    """What a graph convolution with a topology for each sample and channel is computed from.

    x: (ci, n, V, T). weight, bias: (S, co, ci) and (S, co), the features of each subset.
    terms: (S, r, n, V targets, V sources). refinement: (S, co, r), the topology out of the terms.
    """

    x: Tensor
    weight: Tensor
    bias: Tensor
    terms: Tensor
    refinement: Tensor


def graph_product(operands: GraphOperands) -> Tensor:
    """Sum over the subsets of topology times features.

    ``sum_s (refinement_s terms_s) (weight_s x + bias_s)``, in the precision of autocast.

    Returns:
        (co, n, V, T).
    """
    device = operands.x.device.type
    if torch.is_autocast_enabled(device):
        operands = GraphOperands(*(each.to(torch.get_autocast_dtype(device)) for each in operands))
    with torch.autocast(device, enabled=False):
        y: Tensor = _GraphProduct.apply(*operands)  # type: ignore[no-untyped-call]
    return y


class _GraphProduct(torch.autograd.Function):
    """What autograd makes of it would copy the gradients of all subsets once more."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, terms: Tensor, refinement: Tensor
    ) -> Tensor:
        _, n, V, T = x.shape
        S, co, _ = weight.shape
        features = mapped(weight.flatten(0, 1), bias.flatten(), x).view(S, co * n, V, T)
        topology = torch.bmm(refinement, terms.flatten(2)).view(S, co * n, V, V)
        y = torch.bmm(topology[0], features[0])
        for subset in range(1, S):
            y.baddbmm_(topology[subset], features[subset])
        ctx.save_for_backward(x, weight, terms, refinement, features, topology)
        return y.view(co, n, V, T)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, weight, terms, refinement, features, topology = ctx.saved_tensors
        of_y = gradient.reshape(features.shape[1:])
        # One subset after the other in the same two arrays, which then stay in the cache.
        of_features, of_topology = torch.empty_like(features[0]), torch.empty_like(topology[0])
        rows, columns = of_features.view(weight.shape[1], -1), of_topology.view(weight.shape[1], -1)
        inputs, combined = x.flatten(1), terms.flatten(2)
        of_inputs, of_combined = torch.zeros_like(inputs), torch.empty_like(combined)
        of_weight, of_refinement = torch.empty_like(weight), torch.empty_like(refinement)
        of_bias = weight.new_empty(weight.shape[:2])
        for subset in range(len(weight)):
            torch.bmm(topology[subset].mT, of_y, out=of_features)
            of_inputs.addmm_(weight[subset].T, rows)
            torch.mm(rows, inputs.T, out=of_weight[subset])
            torch.sum(rows, 1, out=of_bias[subset])
            torch.bmm(of_y, features[subset].mT, out=of_topology)
            torch.mm(refinement[subset].T, columns, out=of_combined[subset])
            of_refinement[subset] = (combined[subset] @ columns.T).T
        return (
            of_inputs.view_as(x),
            of_weight,
            of_bias,
            of_combined.view_as(terms),
            of_refinement,
        )
