"""The operations of a network whose feature maps are (C, ...), channels outermost.

Everything here has the result of the usual layers; only the layout differs.
"""

from __future__ import annotations

from typing import Any

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
        y = torch.addmm(self.bias.unsqueeze(1), self.weight, x.flatten(1))
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
    y: Tensor = normalisation(x.reshape(1, len(x), -1))
    # In place: batch normalisation needs its input for the gradient, but not its output.
    if plus is not None:
        y = y.add_(plus.reshape(y.shape))
    if rectify:
        y = y.relu_()
    return y.view(x.shape)


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


def subset_product(topology: Tensor, features: Tensor) -> Tensor:
    """Sum over the subsets of topology times features.

    Args:
        topology: (S, C, n, V targets, V sources).
        features: (S, C, n, V, T).

    Returns:
        (C, n, V, T).
    """
    shape = features.shape[1:]
    y: Tensor = _SubsetProduct.apply(  # type: ignore[no-untyped-call]
        topology.flatten(1, 2), features.flatten(1, 2)
    )
    return y.view(shape)


class _SubsetProduct(torch.autograd.Function):
    """What autograd makes of the sum would copy the gradients of all subsets once more."""

    @staticmethod
    def forward(ctx: Any, topology: Tensor, features: Tensor) -> Tensor:
        """(S, B, V, V) and (S, B, V, T) to (B, V, T)."""
        ctx.save_for_backward(topology, features)
        y = torch.bmm(topology[0], features[0])
        for subset in range(1, len(topology)):
            y = y.baddbmm_(topology[subset], features[subset])
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        topology, features = ctx.saved_tensors
        of_topology, of_features = torch.empty_like(topology), torch.empty_like(features)
        for subset in range(len(topology)):
            torch.bmm(gradient, features[subset].mT, out=of_topology[subset])
            torch.bmm(topology[subset].mT, gradient, out=of_features[subset])
        return of_topology, of_features
