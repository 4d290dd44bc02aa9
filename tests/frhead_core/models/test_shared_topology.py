from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from frhead_core.models.shared_topology import (
    SubsetConvolution,
    TemporalConvolution,
    mixed_joints,
)
from tests.frhead_core.models.plain import features, moved, normalised, pointwise


@pytest.mark.parametrize("bodies", [1, 3])
def test_columns_of_a_topology_are_targets(bodies: int) -> None:
    x = features(2, 4)
    topology = torch.randn(bodies, 3, 4, 4, dtype=torch.float64)
    each = topology.expand(3, -1, -1, -1)
    expected = torch.einsum("cnvt,nsvw->scnwt", x, each).flatten(0, 1)
    torch.testing.assert_close(mixed_joints(x, topology), expected)


def test_a_subset_convolution_is_the_sum_of_three() -> None:
    torch.manual_seed(0)
    layer = SubsetConvolution(2, 5, subsets=3)
    moved(layer)
    x, topology = features(2, 4), torch.randn(3, 3, 4, 4, dtype=torch.float64)
    expected = sum(
        pointwise(
            layer.weight[:, 2 * j : 2 * j + 2],
            layer.bias[j],
            torch.einsum("cnvt,nvw->cnwt", x, topology[:, j]),
        )
        for j in range(3)
    )
    torch.testing.assert_close(layer(x, topology), expected)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [5, 9])
@pytest.mark.parametrize("adding", [True, False])
def test_a_temporal_convolution(stride: int, kernel_size: int, adding: bool) -> None:
    layer = TemporalConvolution(4, stride, kernel_size)
    moved(layer)
    x = features(4, 3, frames=11)
    y = F.conv2d(
        x.permute(1, 0, 3, 2),  # (n, c, t, v)
        layer.convolution.weight.transpose(2, 3),
        layer.convolution.bias,
        stride=(stride, 1),
        padding=(kernel_size // 2, 0),
    ).permute(1, 0, 3, 2)
    plus = torch.randn_like(y) if adding else None
    expected = normalised(layer.normalisation, y)
    expected = (expected + plus if plus is not None else expected).relu()
    torch.testing.assert_close(layer(x, plus), expected)


def test_initial_spread_of_weights() -> None:
    torch.manual_seed(0)
    subsets, temporal = SubsetConvolution(64, 128, 3), TemporalConvolution(64, 1, 9)
    assert subsets.weight.var().item() == pytest.approx(2 / (128 * 64 * 3), rel=0.05)
    assert temporal.convolution.weight.var().item() == pytest.approx(2 / (64 * 9), rel=0.05)
    for bias in (subsets.bias, temporal.convolution.bias):
        assert bias is not None and not bias.any()
