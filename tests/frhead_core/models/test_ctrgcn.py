from __future__ import annotations

import pytest
import torch

from frhead_core.models.ctrgcn import CTRGCN
from frhead_core.skeletons import skeleton


def small_model() -> CTRGCN:
    torch.manual_seed(0)
    return CTRGCN(skeleton("ntu").adjacency(), 5, 2, base_channels=8)


def test_a_fresh_block_begins_as_its_residual_path() -> None:
    model = small_model()
    for block in model.blocks:
        assert torch.all(block.graph.normalisation.weight == 1e-6)
        assert block.graph.alpha.item() == 0
    expected = torch.from_numpy(skeleton("ntu").adjacency()).float()
    torch.testing.assert_close(model.blocks[3].graph.adjacency.data, expected)


def test_initial_spread_of_weights() -> None:
    torch.manual_seed(0)
    model = CTRGCN(skeleton("nw-ucla").adjacency(), 10, 1, base_channels=64)
    block = model.blocks[8]
    found = {
        "relation": block.graph.relation.weight,
        "features": block.graph.features.weight,
        "refinement": block.graph.refinement_weight,
        "entry": block.temporal.entry.weight,
        "dilated": block.temporal.dilated[1].weight,
        "classifier": model.classifier.weight,
    }
    variance = {
        "relation": 2 / 32,
        "features": 2 / 256,
        "refinement": 2 / 256,
        "entry": 2 / 64,
        "dilated": 2 / (64 * 5),
        "classifier": 2 / 10,
    }
    for name, weight in found.items():
        assert weight.var().item() == pytest.approx(variance[name], rel=0.1), name
