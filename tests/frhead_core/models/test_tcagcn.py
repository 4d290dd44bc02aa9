from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from frhead_core.errors import InputError
from frhead_core.models.tcagcn import (
    TCAGCN,
    FrameGate,
    GraphConvolution,
    TemporalConvolution,
    TimeAdaptiveMap,
    TwoMaps,
)
from frhead_core.skeletons import skeleton
from tests.frhead_core.models.plain import features, moved, normalised, pointwise


def gate_of(gate: FrameGate, x: Tensor, subset: int, co: int) -> Tensor:
    """One subset's gate (co, n, t) of features (ci, n, v, t), with convolutions of its own."""
    ci, h = len(x), len(x) // 2

    def own(parameter: Tensor, size: int) -> Tensor:
        return parameter[size * subset : size * (subset + 1)]

    weight, bias = own(gate.context.weight, ci), own(gate.context.bias, ci)
    context = weight @ x.mean((2, 3)) + bias[:, None]  # (ci, n)
    seen = x.mean(2) + context[:, :, None]  # (ci, n, t)
    assert gate.first.bias is not None
    hidden = F.conv1d(
        seen.transpose(0, 1), own(gate.first.weight, h), own(gate.first.bias, h), padding=1
    )
    layer = torch.nn.BatchNorm1d(h).double()
    for name, tensor in gate.normalisation.state_dict().items():
        if tensor.dim():
            getattr(layer, name).data = own(tensor, h)
    hidden = normalised(layer, hidden.transpose(0, 1)).relu().transpose(0, 1)
    return 1 + F.conv1d(hidden, own(gate.second.weight, co), padding=1).transpose(0, 1)


@pytest.mark.parametrize("in_channels", [3, 6])
def test_a_time_adaptive_map_is_three_gated_maps(in_channels: int) -> None:
    layer = TimeAdaptiveMap(in_channels, 4, subsets=3)
    moved(layer)
    x = features(in_channels, 5)
    expected = torch.cat(
        [
            pointwise(layer.weight[4 * j : 4 * j + 4], None, x)
            * gate_of(layer.gate, x, j, 4).unsqueeze(2)
            for j in range(3)
        ]
    )
    torch.testing.assert_close(layer(x), expected)


def test_rows_of_a_topology_are_targets() -> None:
    layer = GraphConvolution(8, 8, torch.rand(3, 5, 5))
    moved(layer)
    x = features(8, 5)
    made = layer.features(x).view(3, 8, *x.shape[1:])
    topology = torch.einsum("scr,srnuv->scnuv", layer.refinement(), layer.relation_terms(x))
    y = torch.einsum("scnuv,scnvt->cnut", topology, made)
    torch.testing.assert_close(layer(x), (normalised(layer.normalisation, y) + x).relu())


def two_maps(layer: TwoMaps, x: Tensor) -> Tensor:
    for number in range(2):
        part = layer.maps[number]
        x = normalised(layer.normalisations[number], pointwise(part.weight, part.bias, x))
        x = x.relu() if number == 0 else x
    return x


@pytest.mark.parametrize("adding", [True, False])
def test_the_branches_are_weighed(adding: bool) -> None:
    layer = TemporalConvolution(8, stride=2)
    moved(layer)
    x = features(8, 5)
    y = normalised(layer.normalisation, layer.branches(x))
    weight = two_maps(layer.local, y) + two_maps(layer.whole, y.mean((2, 3), keepdim=True))
    plus = torch.randn_like(y) if adding else None
    expected = 2 * y * weight.sigmoid()
    expected = (expected + plus if plus is not None else expected).relu()
    torch.testing.assert_close(layer(x, plus), expected)


def test_a_single_body_cannot_be_trained_on_but_judged() -> None:
    model = TCAGCN(skeleton("nw-ucla").adjacency(), 5, 1, base_channels=8)
    x = torch.randn(1, 3, 16, 20, 1)
    with pytest.raises(InputError, match="bodies of a training batch; found 1 body; expected 2"):
        model(x)
    assert torch.isfinite(model.eval()(x).logits).all()


def test_initial_spread_of_weights() -> None:
    torch.manual_seed(0)
    gate, layer = FrameGate(64, 128, 3), TimeAdaptiveMap(64, 128, 3)
    variance = {
        gate.context.weight: 2 / 64,
        gate.first.weight: 2 / (32 * 3),
        gate.second.weight: 2 / (128 * 3),
        layer.weight: 1 / (3 * 64),
    }
    for weight, expected in variance.items():
        assert weight.var().item() == pytest.approx(expected, rel=0.05)
    for bias in (gate.context.bias, gate.first.bias):
        assert bias is not None and not bias.any()
    assert layer.bias is None and gate.second.bias is None
