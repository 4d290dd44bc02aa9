"""Mapping the reference's states, as it saved them, for every backbone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from frhead_core.backbones import BACKBONES
from frhead_core.config import load_recipe, override
from frhead_core.errors import InputError
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference.rules import head
from frhead_core.models.reference.weights import (
    BACKBONE_RULES,
    UNUSED,
    from_reference,
    known_names,
    load_reference_state,
    recognised_backbone,
)
from frhead_core.models.registry import build_model
from tests.golden.files import OWN

ENTRIES = {  # of the reference's state, without and with FR-Head
    "ctrgcn": (822, 894),
    "stgcn": (232, 304),
    "aagcn": (442, 514),
    "tcagcn": (1432, 1504),
}


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def saved(backbone: str) -> dict[str, Tensor]:
    """What the reference saved: with FR-Head, for NW-UCLA's joints and 10 classes."""
    with np.load(OWN / "models" / f"{backbone}_ucla_v0.npz", allow_pickle=False) as arrays:
        return {
            key.removeprefix("state/"): torch.from_numpy(arrays[key])
            for key in arrays.files
            if key.startswith("state/")
        }


def fresh_model(backbone: str, with_head: bool = True) -> Recogniser:
    width = saved(backbone)["fc.weight"].shape[1] // 4
    settings = {
        "model.backbone": backbone,
        "model.base_channels": width,
        "head.enabled": with_head,
    }
    return build_model(override(load_recipe("demo-nw-ucla"), settings))


def bare(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith("ren_")}


def test_names_are_exactly_those_of_the_reference(backbone: str) -> None:
    prototypes = {name for name in known_names(backbone) if name.endswith(".avg_f")}
    assert len(prototypes) == 8
    assert known_names(backbone) - prototypes == saved(backbone).keys()
    assert (len(bare(saved(backbone))), len(saved(backbone))) == ENTRIES[backbone]


def test_every_tensor_of_ours_has_its_rule(backbone: str) -> None:
    ours = [rule.ours for rule in [*BACKBONE_RULES[backbone](), *head()]]
    assert len(set(ours)) == len(ours)
    assert set(ours) == fresh_model(backbone).state_dict().keys()


def test_no_tensor_is_taken_twice_or_lost(backbone: str) -> None:
    used = [n for rule in [*BACKBONE_RULES[backbone](), *head()] for n in rule.reference]
    assert len(set(used)) == len(used)
    assert set(used) | UNUSED.get(backbone, frozenset()) == known_names(backbone)
    assert not set(used) & UNUSED.get(backbone, frozenset())


def test_as_many_parameters_as_the_state_holds(backbone: str) -> None:
    skipped = ("running_mean", "running_var", "num_batches_tracked")
    unused = UNUSED.get(backbone, frozenset())
    sizes = {n: t.numel() for n, t in saved(backbone).items() if not n.endswith(skipped)}
    expected = sum(size for name, size in sizes.items() if name not in unused)
    assert sum(p.numel() for p in fresh_model(backbone).parameters()) == expected


@pytest.mark.parametrize("prefix", ["module.", "a.module."])
def test_prefixes_make_no_difference(backbone: str, prefix: str) -> None:
    model, again = fresh_model(backbone), fresh_model(backbone)
    fresh = load_reference_state(model, saved(backbone), backbone)
    assert len(fresh) == 8
    state = {prefix + name: tensor for name, tensor in saved(backbone).items()}
    assert load_reference_state(again, state, backbone) == fresh
    other = again.state_dict()
    for name, tensor in model.state_dict().items():
        if name not in fresh:
            assert torch.equal(tensor, other[name]), name


def test_a_bare_model_leaves_the_head_out(backbone: str) -> None:
    model = fresh_model(backbone, with_head=False)
    assert load_reference_state(model, saved(backbone), backbone) == []
    assert load_reference_state(model, bare(saved(backbone)), backbone) == []


@pytest.mark.parametrize("with_head", [True, False])
def test_the_backbone_is_recognised_by_the_names(backbone: str, with_head: bool) -> None:
    state = saved(backbone) if with_head else bare(saved(backbone))
    assert recognised_backbone(state) == backbone
    damaged = sorted(state)[: -len(state) // 4]
    assert recognised_backbone([*damaged, "strange"]) == backbone


@pytest.mark.parametrize("names", [[], ["a", "b"], ["ren_low.spatio_squeeze.0.weight"]])
def test_names_of_something_else_are_not_recognised(names: list[str]) -> None:
    with pytest.raises(InputError, match=r"those of no backbone.*one of aagcn, ctrgcn"):
        recognised_backbone(names)


def test_tca_gcn_does_without_what_it_never_uses() -> None:
    state = {n: t for n, t in saved("tcagcn").items() if n not in UNUSED["tcagcn"]}
    assert len(saved("tcagcn")) - len(state) == 60
    load_reference_state(fresh_model("tcagcn"), state, "tcagcn")


def test_all_that_does_not_fit_is_listed_together_by_the_names_in_the_file(backbone: str) -> None:
    state = dict(saved(backbone))
    del state["l3.gcn1.PA"]
    state |= {"fc.bias": torch.zeros(11), "l99.bogus": torch.zeros(2)}
    with pytest.raises(InputError) as caught:
        load_reference_state(fresh_model(backbone), state, backbone)
    found = "1 unknown: l99.bogus (2,). 1 missing: l3.gcn1.PA (3, 20, 20). "
    found += "1 of another shape: fc.bias (11,), expected (10,)"
    assert str(caught.value) == f"the weights do not fit the model; found {found}"


def test_what_is_missing_is_told_with_the_shape_that_it_has_in_the_reference(
    backbone: str,
) -> None:
    """Of every tensor, each of several that are one of ours among them."""
    state = saved(backbone)
    needed = [name for name in state if name not in UNUSED.get(backbone, frozenset())]
    for first in range(0, len(needed), 12):  # as many as one message lists
        some = needed[first : first + 12]
        rest = {name: state[name] for name in state if name not in some}
        with pytest.raises(InputError) as caught:
            load_reference_state(fresh_model(backbone), rest, backbone)
        told = str(caught.value).partition(f"found {len(some)} missing: ")[2].split("; ")
        assert sorted(told) == sorted(f"{name} {tuple(state[name].shape)}" for name in some)


def test_a_long_list_is_cut_for_each_kind_of_problem() -> None:
    state = dict(saved("ctrgcn"))
    removed = sorted(state)[:40]
    for name in removed:
        del state[name]
    state |= {f"l99.{number}": torch.zeros(2) for number in range(13)}
    with pytest.raises(InputError) as caught:
        load_reference_state(fresh_model("ctrgcn"), state, "ctrgcn")
    assert "13 unknown: l99.0 (2,);" in str(caught.value)
    assert "and 1 more. 40 missing: " in str(caught.value)
    assert str(caught.value).endswith("and 28 more")


@pytest.mark.parametrize(
    ("name", "shape"),
    [("l2.gcn1.convs.1.conv3.weight", (7, 5, 1, 1)), ("l2.tcn1.branches.0.3.conv.weight", (8, 8))],
)
def test_parts_that_do_not_fit_together_are_named(name: str, shape: tuple[int, ...]) -> None:
    state = saved("ctrgcn") | {name: torch.zeros(shape)}
    with pytest.raises(InputError, match="do not fit the model") as caught:
        load_reference_state(fresh_model("ctrgcn"), state, "ctrgcn")
    expected = f"{name} {shape}, expected {tuple(saved('ctrgcn')[name].shape)}"
    assert expected in str(caught.value)
    with pytest.raises(InputError, match="do not fit together") as caught:
        from_reference(state, "ctrgcn", head=True)
    assert f"{name} {shape}" in str(caught.value)


def test_unknown_names_are_listed() -> None:
    with pytest.raises(InputError, match=r"does not have; found l99\.bogus \(1,\)"):
        from_reference({"l99.bogus": torch.zeros(1)}, "ctrgcn", head=True)


def test_a_name_with_and_without_prefix_is_refused() -> None:
    twice = {"fc.bias": torch.zeros(1), "module.fc.bias": torch.zeros(1)}
    with pytest.raises(InputError, match=r"fc\.bias: is there twice"):
        from_reference(twice, "ctrgcn", head=True)


def test_unknown_backbone_is_refused() -> None:
    with pytest.raises(InputError, match="found resnet; expected one of aagcn, ctrgcn"):
        from_reference({}, "resnet", head=True)
