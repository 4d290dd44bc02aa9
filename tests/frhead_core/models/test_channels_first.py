"""Each operation with channels outermost against torch's own layer, values and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frhead_core.models.channels_first import (
    ChannelMap,
    GraphOperands,
    channel_convolution,
    float_mean,
    graph_product,
    maximum_of_three,
    normalised,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def assert_same(found: Tensor, expected: Tensor, *inputs: Tensor) -> None:
    """Equal values, and equal gradients of a random weighted sum."""
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(expected)
    pairs = zip(
        torch.autograd.grad((found * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other)


def usual(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A layer for (n, C, V, T) on (C, n, V, T)."""
    return layer(x.transpose(0, 1)).transpose(0, 1)


def test_a_channel_map_is_a_pointwise_convolution() -> None:
    x, ours = normal(6, 2, 3, 4), ChannelMap(6, 5).double()
    convolution = nn.Conv2d(6, 5, 1).double()
    convolution.weight, convolution.bias = nn.Parameter(ours.weight[..., None, None]), ours.bias
    assert_same(ours(x), usual(convolution, x), x, ours.bias)


def test_a_convolution_over_frames() -> None:
    x, convolution = normal(4, 2, 3, 9), nn.Conv2d(4, 4, (1, 5), (1, 2), (0, 4), (1, 2)).double()
    found = channel_convolution(convolution, x)
    assert_same(found, usual(convolution, x), x, convolution.weight)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("adding", [True, False])
def test_normalisation_with_sum_and_rectifier(training: bool, rectify: bool, adding: bool) -> None:
    x, plus = normal(4, 3, 2, 5), normal(4, 3, 2, 5)
    ours, layer = nn.BatchNorm1d(4).double(), nn.BatchNorm2d(4).double()
    for module in (ours, layer):
        module.running_mean += torch.arange(4)
        module.train(training)
    found = normalised(ours, x, plus if adding else None, rectify)
    expected = usual(layer, x) + plus if adding else usual(layer, x)
    assert_same(found, expected.relu() if rectify else expected, x, *([plus] if adding else []))
    torch.testing.assert_close(ours.running_var, layer.running_var)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 3, 12, 13])
def test_maximum_of_a_frame_and_its_neighbours(frames: int, stride: int) -> None:
    x = normal(3, 2, 4, frames)
    flat = x.flatten(0, 1).unsqueeze(0)
    expected = F.max_pool2d(flat, (1, 3), (1, stride), (0, 1)).view(3, 2, 4, -1)
    assert_same(maximum_of_three(x, stride), expected, x)


def test_equal_neighbours_share_nothing_and_lose_nothing() -> None:
    x = torch.tensor([[2.0, 2.0, 2.0, 1.0]], requires_grad=True)
    maximum_of_three(x, 1).sum().backward()
    assert x.grad is not None
    assert x.grad.sum() == 4
    assert torch.equal(x.grad, x.grad.round())


def test_the_product_over_subsets() -> None:
    S, ci, co, r, n, V, T = 3, 4, 5, 2, 2, 6, 7
    operands = GraphOperands(
        x=normal(ci, n, V, T),
        weight=normal(S, co, ci),
        bias=normal(S, co),
        terms=normal(S, r, n, V, V),
        refinement=normal(S, co, r),
    )
    topology = torch.einsum("scr,srnuv->scnuv", operands.refinement, operands.terms)
    features = torch.einsum("sci,invt->scnvt", operands.weight, operands.x)
    features = features + operands.bias[:, :, None, None, None]
    expected = torch.einsum("scnuv,scnvt->cnut", topology, features)
    assert_same(graph_product(operands), expected, *operands)


def test_the_product_over_subsets_in_the_precision_of_autocast() -> None:
    operands = GraphOperands(
        *(torch.randn(shape) for shape in ((4, 2, 6, 7), (3, 5, 4), (3, 5))),
        *(torch.randn(shape) for shape in ((3, 2, 2, 6, 6), (3, 5, 2))),
    )
    exact = graph_product(operands)
    with torch.autocast("cpu", torch.bfloat16):
        found = graph_product(operands)
    assert found.dtype == torch.bfloat16
    assert (found - exact).norm() <= 2e-2 * exact.norm()


def test_means_are_taken_in_float32() -> None:
    ones = torch.ones(1, 1000, 3, dtype=torch.bfloat16)
    assert float_mean(1.01 * ones, (1,)).dtype == torch.float32
    x = normal(2, 3, 4)
    assert_same(float_mean(x, (0, 2)), x.mean((0, 2)), x)
    assert float_mean(x, (1,)).dtype == torch.float64
