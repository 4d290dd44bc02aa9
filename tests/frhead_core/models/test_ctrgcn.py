from __future__ import annotations

import pytest
import torch

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.models.ctrgcn import CTRGCN
from frhead_core.models.registry import build_model
from frhead_core.skeletons import skeleton


def parameters(recipe: Recipe) -> int:
    return sum(parameter.numel() for parameter in build_model(recipe).parameters())


@pytest.mark.parametrize(
    ("benchmark", "bare", "with_head"),
    [("ntu120-xsub", 1_462_092, 1_999_048), ("nw-ucla", 1_426_892, 1_934_197)],
)
def test_as_many_parameters_as_the_reference(benchmark: str, bare: int, with_head: int) -> None:
    recipe = load_recipe(benchmark)
    assert parameters(recipe) == with_head
    assert parameters(override(recipe, {"head.enabled": False})) == bare


def small_model(persons: int = 2, joints: str = "ntu", classes: int = 5) -> CTRGCN:
    torch.manual_seed(0)
    return CTRGCN(skeleton(joints).adjacency(), classes, persons, base_channels=8)


def test_shapes_of_logits_features_and_levels() -> None:
    output = small_model()(torch.randn(3, 3, 13, 25, 2))
    assert output.logits.shape == (3, 5)
    assert output.pooled.shape == (3, 32)
    assert [tuple(level.shape) for level in output.levels] == [
        (3, 2, 8, 25, 13),
        (3, 2, 16, 25, 7),
        (3, 2, 32, 25, 4),
        (3, 2, 32, 25, 4),
    ]


def test_every_parameter_gets_a_gradient() -> None:
    model = small_model()
    for block in model.blocks:
        torch.nn.init.constant_(block.graph.alpha, 0.3)  # at 0 the refinement gets no gradient
        torch.nn.init.ones_(block.graph.normalisation.weight)
    model(torch.randn(3, 3, 12, 25, 2)).logits.square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias right before batch normalisation shifts what the normalisation takes out again.
    assert all(name.endswith("bias") for name in without), without


def test_order_of_bodies_does_not_matter_once_inputs_are_normalised_alike() -> None:
    model = small_model().eval()
    x = torch.randn(2, 3, 12, 25, 2)
    with torch.no_grad():
        torch.testing.assert_close(model(x).logits, model(x.flip(-1)).logits, rtol=1e-5, atol=1e-5)


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


def test_logits_stay_float32_under_bfloat16() -> None:
    model = small_model().eval()
    x = torch.randn(2, 3, 12, 25, 2)
    with torch.no_grad():
        exact = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            output = model(x)
    assert output.logits.dtype == output.pooled.dtype == torch.float32
    assert (output.logits - exact.logits).norm() / exact.logits.norm() < 2e-2
