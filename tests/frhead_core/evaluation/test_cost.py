from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from frhead_core.backbones import BACKBONES
from frhead_core.config import Recipe, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.evaluation.cost import Cost, together
from frhead_core.evaluation.cost_measurement import _FURTHER_PRODUCTS, count_flops, measure_cost
from frhead_core.evaluation.score_files import score_model
from frhead_core.models.registry import build_model
from frhead_core.skeletons import skeleton
from frhead_core.training.model_card import model_card


def samples_of(recipe: Recipe, count: int) -> torch.Tensor:
    """(N, C, T, V, M) normally distributed coordinates."""
    joints = len(skeleton(recipe.skeleton).joints)
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, recipe.loader.window, joints, recipe.loader.persons)
    return torch.randn(shape, generator=generator)


def ctrgcn_flops(V: int, T: int, M: int, K: int) -> int:
    """Operations of CTR-GCN as its paper's equations are carried out here, block by block."""
    multiply_adds = 0
    widths = (3, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
    for block in range(10):
        ci, co, stride = widths[block], widths[block + 1], 2 if block in (4, 7) else 1
        r = 8 if ci == 3 else ci // 8
        after = -(-T // stride)
        multiply_adds += M * V * 6 * r * ci  # both sides of the relation, of time averages
        multiply_adds += M * 3 * co * (r + 2) * V * V  # refinement, adjacency and bias as rows
        multiply_adds += M * 3 * co * ci * V * T  # features of the subsets
        multiply_adds += M * 3 * co * V * V * T  # topology times features
        multiply_adds += M * V * T * co * ci * (ci != co)  # residual of the graph convolution
        b = co // 4
        multiply_adds += M * V * (T * 3 * b * co + after * (2 * 5 * b * b + b * co))
        multiply_adds += M * V * after * co * ci * (block > 0 and ci != co)  # outer residual
        T = after
    return 2 * (multiply_adds + 256 * K)


@pytest.mark.parametrize("benchmark", ["nw-ucla", "ntu60-xview"])
def test_the_operations_of_ctrgcn_are_those_of_its_equations(benchmark: str) -> None:
    recipe = override(load_recipe(benchmark), ["model.base_channels=64"])
    model, x = build_model(recipe).eval(), samples_of(recipe, 1)
    with torch.no_grad():
        counted = count_flops(lambda: model(x))

    V, T, M = x.shape[3], x.shape[2], x.shape[4]
    assert counted == ctrgcn_flops(V, T, M, recipe.outputs)


def test_forward_and_training_are_the_work_that_is_known() -> None:
    """1.12 GFLOP a sample forward and 3.36 in training, with a multiply-add counting as two."""
    recipe = load_recipe("nw-ucla")
    model, x = build_model(recipe), samples_of(recipe, 2)

    def step() -> None:
        losses = model.losses(x, torch.tensor([0, 1]))
        (losses.cross_entropy + 0.1 * losses.head.total).backward()

    assert count_flops(lambda: model(x)) / 2 == pytest.approx(1.12e9, rel=0.015)
    assert count_flops(step) / 2 == pytest.approx(3.36e9, rel=0.015)


class _Operations(TorchDispatchMode):
    """Notes which operations torch carries out."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[Any] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.seen.add(function._overloadpacket)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_no_product_of_any_backbone_escapes_the_count(backbone: str) -> None:
    settings = [f"model.backbone={backbone}", "model.base_channels=64"]
    recipe = override(load_recipe("nw-ucla"), settings)
    model, x = build_model(recipe), samples_of(recipe, 2)
    with _Operations() as operations:
        losses = model.losses(x, torch.tensor([0, 1]))
        (losses.cross_entropy + losses.head.total).backward()

    products = re.compile(r"mm|conv|matmul|linear|einsum|dot|mv|attention|bilinear")
    found = {each for each in operations.seen if products.search(str(each))}
    assert found
    assert found <= flop_registry.keys() | _FURTHER_PRODUCTS.keys()


def test_what_is_measured_is_of_this_model_and_stated(tiny_demo: Recipe) -> None:
    model, x = build_model(tiny_demo).train(), samples_of(tiny_demo, 7)
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in model.state_dict().items()}

    cost = measure_cost(model, x, "bfloat16")

    assert cost.parameters == sum(each.numel() for each in model.backbone.parameters())
    assert cost.head_parameters == sum(each.numel() for each in model.head.parameters())
    assert cost.batch_size == 7
    assert 5 <= cost.latency_forwards <= 20
    assert cost.latency_ms > 0
    assert cost.samples_per_second > 0
    assert cost.threads == torch.get_num_threads()
    assert cost.precision == "bfloat16"
    assert cost.device
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_a_model_without_head_has_no_parameters_of_one(tiny_demo: Recipe) -> None:
    recipe = override(tiny_demo, ["head.enabled=false"])
    assert measure_cost(build_model(recipe), samples_of(recipe, 2), "float32").head_parameters == 0


COST = Cost(1_000, 200, 3_000_000, 2.5, 20, 400.0, 64, "a processor", 1, "float32")


def test_several_models_add_up_only_under_equal_conditions() -> None:
    other = dataclasses.replace(COST, flops=1_000_000, latency_ms=1.5, samples_per_second=400.0)

    both = together([COST, other])

    assert both is not None
    assert (both.parameters, both.flops, both.latency_ms) == (2_000, 4_000_000, 4.0)
    assert both.samples_per_second == pytest.approx(200.0)
    assert together([]) is together([COST]) is None
    assert together([COST, dataclasses.replace(other, threads=2)]) is None


def test_the_scores_of_a_model_come_with_its_cost(
    make_model: Any, synthetic_store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scores"
    model = make_model("model")
    score_model(model, synthetic_store, folder, device="cpu")
    cost = Cost.load(folder)
    assert cost is not None
    assert cost.batch_size == 20  # all of the test part
    first = (folder / "last.npz").read_bytes()

    score_model(model, synthetic_store, folder, device="cpu")  # a folder of ours is replaced

    assert (folder / "last.npz").read_bytes() == first
    (folder / "cost.json").write_text(json.dumps({"parameters": 1}))
    with pytest.raises(InputError, match=r"cost\.json: is damaged"):
        Cost.load(folder)
    (folder / "cost.json").unlink()
    assert Cost.load(folder) is None


def test_the_card_tells_the_cost_and_how_it_was_counted(tiny_demo: Recipe) -> None:
    metadata = {"modality": "joint", "metrics": {}, "trained_on": "x", "precision": "float32"}

    card = model_card(tiny_demo, {**metadata, "cost": COST.to_dict()})

    assert "| parameters | 1,000 |" in card
    assert "| operations a sample | 0.003 GFLOP |" in card
    assert "| latency of one sample | 2.50 ms |" in card
    assert "a multiply-add counting as two" in card
    assert "a processor, 1 CPU thread, float32" in card
    assert "recognising costs" not in model_card(tiny_demo, metadata)
