from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from frhead_core.models.aagcn import AAGCN, Attention, GraphConvolution
from frhead_core.skeletons import skeleton
from tests.frhead_core.models.plain import features, moved, normalised, pointwise, residual


def gated_in_turn(attention: Attention, y: Tensor) -> Tensor:
    """Attention of (c, n, v, t) as its definition has it: three gates one after the other."""
    joints = F.conv1d(
        y.mean(3).transpose(0, 1),
        attention.joints.weight,
        attention.joints.bias,
        padding=attention.joints.kernel_size[0] // 2,
    ).sigmoid()  # (n, 1, v)
    y = y + y * joints.transpose(0, 1)[..., None]
    frames = F.conv1d(
        y.mean(2).transpose(0, 1), attention.frames.weight, attention.frames.bias, padding=4
    ).sigmoid()  # (n, 1, t)
    y = y + y * frames.transpose(0, 1)[:, :, None]
    hidden = F.linear(y.mean((2, 3)).T, attention.squeeze.weight, attention.squeeze.bias).relu()
    channels = F.linear(hidden, attention.expand.weight, attention.expand.bias).sigmoid()  # (n, c)
    return y + y * channels.T[:, :, None, None]


@pytest.mark.parametrize(("joints", "kernel"), [(20, 19), (25, 25)])
def test_attention_at_once_is_attention_in_turn(joints: int, kernel: int) -> None:
    attention = Attention(6, joints)
    moved(attention)
    assert attention.joints.kernel_size == (kernel,)
    x = features(6, joints).requires_grad_()
    expected = gated_in_turn(attention, x)
    torch.testing.assert_close(attention(x), expected)
    weight = torch.randn_like(expected)
    inputs = [x, *attention.parameters()]
    found = torch.autograd.grad((attention(x) * weight).sum(), inputs)
    for one, other in zip(
        found, torch.autograd.grad((expected * weight).sum(), inputs), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("channels", [(2, 8), (8, 8)], ids=["widening", "as wide"])
def test_graph_convolution_is_what_its_formula_says(channels: tuple[int, int]) -> None:
    ci, co = channels
    layer = GraphConvolution(ci, co, torch.rand(3, 5, 5))
    moved(layer)
    x, y = features(ci, 5), torch.zeros(())
    i, T = co // 4, x.shape[3]
    sides = pointwise(layer.relation.weight, layer.relation.bias, x).split(i)
    for j in range(3):
        source, target = sides[2 * j : 2 * j + 2]
        relation = torch.tanh(torch.einsum("cnvt,cnwt->nvw", source, target) / (i * T))
        topology = layer.adjacency[j] + layer.alpha * relation
        mixed = torch.einsum("cnvt,nvw->cnwt", x, topology)
        weight = layer.convolution.weight[:, ci * j : ci * (j + 1)]
        y = y + pointwise(weight, layer.convolution.bias[j], mixed)
    y = (normalised(layer.normalisation, y) + residual(layer.residual, x)).relu()
    torch.testing.assert_close(layer(x), gated_in_turn(layer.attention, y))


def test_where_a_fresh_model_starts() -> None:
    torch.manual_seed(0)
    model = AAGCN(skeleton("ntu").adjacency(), 5, 2, base_channels=64)
    graph = model.blocks[8].graph
    torch.testing.assert_close(
        graph.adjacency.data, torch.from_numpy(skeleton("ntu").adjacency()).float()
    )
    assert graph.alpha.item() == 0
    assert torch.all(graph.normalisation.weight == 1e-6)
    attention = graph.attention
    for zero in (attention.frames.weight, attention.expand.weight, attention.squeeze.bias):
        assert not zero.any()
    variance = {
        graph.relation.weight: 2 / 64,
        attention.joints.weight: 2 / (25 * (256 + 1)),
        attention.squeeze.weight: 2 / 256,
    }
    for weight, expected in variance.items():
        assert weight.var().item() == pytest.approx(expected, rel=0.1)
    assert model.blocks[0].temporal.convolution.kernel_size == (1, 9)
