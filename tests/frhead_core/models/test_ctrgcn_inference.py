from __future__ import annotations

import pytest
import torch
from torch import Tensor

from frhead_core.models import ctrgcn_inference
from frhead_core.models.ctrgcn import CTRGCN
from frhead_core.models.ctrgcn_inference import FoldedCTRGCN
from frhead_core.skeletons import skeleton


@pytest.fixture
def trained() -> CTRGCN:
    """Two bodies of 25 joints; every parameter and every running statistic is its own."""
    torch.manual_seed(0)
    model = CTRGCN(skeleton("ntu").adjacency(), classes=7, persons=2, base_channels=8)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for block in model.blocks:
        block.graph.normalisation.weight.data.uniform_(-1, 1)  # a negative scale, too
    for _ in range(2):
        model.train()(samples(4))
    return model.double().eval()


def samples(number: int) -> Tensor:
    return torch.randn(number, 3, 14, 25, 2)


@pytest.mark.parametrize("together", [1, 4, 100])
def test_the_same_logits_and_features_however_many_at_a_time(
    trained: CTRGCN, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctrgcn_inference, "BODIES_TOGETHER", together)
    x = samples(5).double()
    with torch.no_grad():
        expected = trained(x)
        found = trained.for_inference(torch.float64)(x)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.pooled, expected.pooled, rtol=1e-10, atol=1e-10)


def test_keeps_the_weights_it_was_made_of(trained: CTRGCN) -> None:
    folded = FoldedCTRGCN(trained, torch.float64)
    x = samples(2).double()
    with torch.no_grad():
        before = folded(x).pooled
        for parameter in trained.blocks.parameters():
            parameter.zero_()
        torch.testing.assert_close(folded(x).pooled, before, rtol=0, atol=0)


def test_bfloat16_stays_near_and_ends_in_float32() -> None:
    torch.manual_seed(0)
    model = CTRGCN(skeleton("ntu").adjacency(), classes=7, persons=2, base_channels=8)
    x = samples(4)
    with torch.no_grad():
        for _ in range(20):
            model.train()(x)
        expected = model.eval()(x)
        found = model.for_inference(torch.bfloat16)(x)
    assert found.logits.dtype == found.pooled.dtype == torch.float32
    assert (found.logits - expected.logits).norm() <= 2e-2 * expected.logits.norm()
