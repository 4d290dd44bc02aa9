from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference_weights import (
    BACKBONE_RULES,
    from_reference,
    head_rules,
    load_reference_state,
)
from frhead_core.models.registry import build_model


def tiny_recipe() -> Recipe:
    return override(load_recipe("demo-nw-ucla"), {"model.base_channels": 8})


def reference_state(model: Recogniser) -> dict[str, Tensor]:
    """A state by the reference's names and shapes, of random numbers, for the given model."""
    state: dict[str, Tensor] = {}
    torch.manual_seed(5)
    expected = model.state_dict()
    for rule in [*BACKBONE_RULES["ctrgcn"](), *head_rules()]:
        if rule.ours not in expected or rule.ours.endswith("prototypes"):
            continue
        for name in rule.reference:
            state[name] = _random_part(name, rule.ours, len(rule.reference), expected)
    return state


def _random_part(name: str, ours: str, parts: int, expected: dict[str, Tensor]) -> Tensor:
    shape = tuple(expected[ours].shape)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    if name.endswith("conv4.weight"):
        shape = (*shape[1:], 1, 1)
    elif name.endswith("conv4.bias"):
        shape = (shape[1],)
    elif re.search(r"branches\.[01]\.3\.conv\.weight", name):
        shape = (shape[0], shape[1], shape[3], shape[2])
    elif "squeeze.0.weight" in name:
        shape = (*shape, 1)
    elif len(shape) == 2 and not name.startswith("fc") and "cl_fc" not in name:
        shape = (shape[0] // parts, shape[1], 1, 1)
    else:
        shape = (shape[0] // parts, *shape[1:])
    return torch.randn(shape)


def test_round_trip_with_and_without_module_prefix() -> None:
    model = build_model(tiny_recipe())
    state = reference_state(model)
    fresh = load_reference_state(model, state, "ctrgcn")
    assert len(fresh) == 8
    again = build_model(tiny_recipe())
    load_reference_state(again, {f"module.{k}": v for k, v in state.items()}, "ctrgcn")
    for name, tensor in model.state_dict().items():
        if name not in fresh:
            assert torch.equal(tensor, again.state_dict()[name]), name


def test_a_bare_model_leaves_the_head_out() -> None:
    full = build_model(tiny_recipe())
    bare = build_model(override(tiny_recipe(), {"head.enabled": False}))
    assert load_reference_state(bare, reference_state(full), "ctrgcn") == []


def test_missing_and_misshapen_tensors_are_listed() -> None:
    model = build_model(tiny_recipe())
    state = reference_state(model)
    del state["l3.gcn1.PA"]
    state["fc.bias"] = torch.zeros(11)
    with pytest.raises(InputError) as caught:
        load_reference_state(model, state, "ctrgcn")
    assert "backbone.blocks.2.graph.adjacency" in str(caught.value)
    assert "backbone.classifier.bias: found (11,), expected (10,)" in str(caught.value)


def test_unknown_names_are_listed() -> None:
    with pytest.raises(InputError, match=r"l99\.bogus"):
        from_reference({"l99.bogus": torch.zeros(1)}, "ctrgcn", head=True)


def test_unknown_backbone_is_refused() -> None:
    with pytest.raises(InputError, match="ctrgcn"):
        from_reference({}, "resnet", head=True)
