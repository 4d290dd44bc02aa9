from __future__ import annotations

import pytest
import torch

from frhead_core.config import load_recipe, override
from frhead_core.errors import RecipeError
from frhead_core.models.registry import BACKBONES, build_model


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_every_backbone_trains_saves_and_loads(backbone: str) -> None:
    recipe = override(
        load_recipe("demo-nw-ucla"), {"model.backbone": backbone, "model.base_channels": 8}
    )
    torch.manual_seed(0)
    model = build_model(recipe)
    x, labels = torch.randn(4, 3, 52, 20, 1), torch.tensor([0, 1, 2, 3])
    losses = model.losses(x, labels)
    assert losses.head is not None
    (losses.cross_entropy + losses.head.total).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    other = build_model(recipe)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval()(x), other.eval()(x))


def test_unused_outputs_exist_in_training_only() -> None:
    recipe = override(
        load_recipe("demo-nw-ucla"), {"model.reference_outputs": 13, "model.base_channels": 8}
    )
    model = build_model(recipe)
    x = torch.randn(2, 3, 52, 20, 1)
    assert model.losses(x, torch.tensor([0, 9])).logits.shape == (2, 13)
    assert model.eval()(x).shape == (2, 10)


def test_unknown_backbone_lists_the_known() -> None:
    with pytest.raises(RecipeError, match=r"model\.backbone.*found resnet.*one of ctrgcn"):
        build_model(override(load_recipe("demo-nw-ucla"), {"model.backbone": "resnet"}))
