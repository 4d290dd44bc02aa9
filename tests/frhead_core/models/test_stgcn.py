from __future__ import annotations

import numpy as np
import pytest
import torch

from frhead_core.models.stgcn import STGCN, GraphConvolution
from frhead_core.skeletons import skeleton
from tests.frhead_core.models.plain import features, moved, normalised, pointwise, residual


@pytest.mark.parametrize("channels", [(2, 6), (6, 6)], ids=["widening", "as wide"])
def test_graph_convolution_is_what_its_formula_says(channels: tuple[int, int]) -> None:
    ci, co = channels
    layer = GraphConvolution(ci, co, subsets=3, joints=5)
    moved(layer)
    x, y = features(ci, 5), torch.zeros(())
    for j in range(3):
        column_length = layer.adjacency[j].square().sum(0).sqrt()
        mixed = torch.einsum("cnvt,vw->cnwt", x, layer.adjacency[j] / (column_length + 1e-4))
        weight = layer.convolution.weight[:, ci * j : ci * (j + 1)]
        y = y + pointwise(weight, layer.convolution.bias[j], mixed)
    expected = (normalised(layer.normalisation, y) + residual(layer.residual, x)).relu()
    torch.testing.assert_close(layer(x), expected)


def test_a_column_of_zeros_stays_finite() -> None:
    layer = GraphConvolution(2, 4, subsets=3, joints=5)
    torch.nn.init.zeros_(layer.adjacency)
    assert torch.equal(layer.topology(), torch.zeros(3, 5, 5))


def test_the_links_between_joints_are_not_used() -> None:
    graph = skeleton("ntu").adjacency()
    models = []
    for adjacency in (graph, np.zeros_like(graph)):
        torch.manual_seed(0)
        models.append(STGCN(adjacency, 5, 2, base_channels=8))
    for block in models[0].blocks:
        assert torch.equal(block.graph.adjacency, torch.eye(25).repeat(3, 1, 1))
        assert torch.all(block.graph.normalisation.weight == 1e-6)
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)
    assert models[0].blocks[0].temporal.convolution.kernel_size == (1, 5)
