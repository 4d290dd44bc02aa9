"""What holds for every backbone, each with bodies and joints as NW-UCLA and as NTU RGB+D have."""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from frhead_core.backbones import BACKBONES, BackboneEntry
from frhead_core.config import Recipe, load_recipe, override
from frhead_core.models import registry
from frhead_core.models.backbone import Backbone, BackboneOutput
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.registry import build_model

SHAPES = {"nw-ucla": (3, 52, 20, 1), "ntu120-xset": (3, 64, 25, 2)}  # (C, T, V, M) of a sample

every_backbone = pytest.mark.parametrize("backbone", BACKBONES)


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=SHAPES)
def recipe(request: pytest.FixtureRequest, backbone: str) -> Recipe:
    settings = {"model.backbone": backbone, "model.base_channels": 8}
    return override(load_recipe(str(request.param)), settings)


@pytest.fixture
def model(recipe: Recipe) -> Recogniser:
    torch.manual_seed(0)
    return build_model(recipe)


@pytest.fixture
def batch(recipe: Recipe) -> torch.Tensor:
    return torch.randn(4, *SHAPES[recipe.name])


def labels_of(batch: torch.Tensor) -> torch.Tensor:
    return torch.arange(len(batch))


def make_every_branch_count(model: nn.Module) -> None:
    """Move the parameters away from the start, at which some branches are zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)


def test_shapes_of_logits_features_and_levels(
    model: Recogniser, batch: torch.Tensor, recipe: Recipe
) -> None:
    output = model.backbone(batch)
    N, (_, T, V, M) = len(batch), SHAPES[recipe.name]
    assert output.logits.shape == (N, recipe.outputs)
    assert output.pooled.shape == (N, 32)
    lengths = zip((8, 16, 32, 32), (T, T // 2, T // 4, T // 4), strict=True)
    assert [level.shape for level in output.levels] == [(N, M, c, V, t) for c, t in lengths]
    assert model.backbone.level_channels == (8, 16, 32, 32)


def test_any_number_of_frames_will_do_without_the_head(
    model: Recogniser, batch: torch.Tensor
) -> None:
    levels = model.backbone(batch[:, :, :13]).levels
    assert [level.shape[-1] for level in levels] == [13, 7, 4, 4]


def test_every_parameter_gets_a_gradient(model: Recogniser, batch: torch.Tensor) -> None:
    make_every_branch_count(model)
    losses = model.losses(batch, labels_of(batch))
    assert losses.head is not None
    (losses.cross_entropy + losses.head.total).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    without = [name for name, g in gradients.items() if g is not None and not g.any()]
    # A bias right before batch normalisation shifts what the normalisation takes out again.
    assert all(name.endswith("bias") for name in without), without


def test_a_saved_model_is_the_same_model(
    model: Recogniser, batch: torch.Tensor, recipe: Recipe, tmp_path: Path
) -> None:
    model.losses(batch, labels_of(batch))  # statistics and prototypes other than at the start
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other = build_model(recipe)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(model.eval()(batch), other.eval()(batch))


def test_samples_are_judged_one_by_one(model: Recogniser, batch: torch.Tensor) -> None:
    make_every_branch_count(model)
    model.double().eval()
    with torch.no_grad():
        together = model.backbone(batch.double())
        for number in range(len(batch)):
            alone = model.backbone(batch[number : number + 1].double())
            torch.testing.assert_close(alone.logits[0], together.logits[number])
            torch.testing.assert_close(alone.pooled[0], together.pooled[number])


@pytest.mark.parametrize("recipe", ["ntu120-xset"], indirect=True)
def test_order_of_bodies_does_not_matter_once_inputs_are_normalised_alike(
    model: Recogniser, batch: torch.Tensor
) -> None:
    make_every_branch_count(model.backbone.blocks)
    model.double().eval()
    with torch.no_grad():
        swapped = model(batch.double().flip(-1))
        torch.testing.assert_close(model(batch.double()), swapped)


def test_a_model_in_float64_computes_in_float64(model: Recogniser, batch: torch.Tensor) -> None:
    output = model.double().backbone(batch.double())
    assert {output.logits.dtype, output.pooled.dtype} == {torch.float64}
    assert {level.dtype for level in output.levels} == {torch.float64}


def test_logits_and_features_stay_float32_under_bfloat16(
    model: Recogniser, batch: torch.Tensor
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(batch, labels_of(batch))
    assert losses.head is not None
    (losses.cross_entropy + losses.head.total).backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())
    model.eval()
    with torch.no_grad():
        exact = model.backbone(batch)
        with torch.autocast("cpu", torch.bfloat16):
            output = model.backbone(batch)
    assert output.logits.dtype == output.pooled.dtype == torch.float32
    assert {level.dtype for level in output.levels} == {torch.bfloat16}
    assert (output.logits - exact.logits).norm() / exact.logits.norm() < 2e-2


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 2e-2)])
def test_the_form_for_inference_is_the_same_function(
    model: Recogniser, batch: torch.Tensor, dtype: torch.dtype, tolerance: float
) -> None:
    with torch.no_grad():
        model.backbone(batch)  # statistics other than at the start
        expected = model.eval()(batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = model.for_inference(dtype)(batch)
    assert found.dtype == torch.float32
    assert (found - expected).norm() <= tolerance * expected.norm()


@every_backbone
@pytest.mark.parametrize("channels", [8, 12])
def test_width_is_a_setting(backbone: str, channels: int) -> None:
    recipe = override(
        load_recipe("demo-nw-ucla"),
        {"model.backbone": backbone, "model.base_channels": channels},
    )
    output = build_model(recipe).backbone(torch.randn(2, 3, 16, 20, 1))
    assert output.pooled.shape == (2, 4 * channels)


@every_backbone
def test_dropout_is_between_features_and_classifier(backbone: str) -> None:
    settings = {"model.backbone": backbone, "model.base_channels": 8, "model.dropout": 0.9}
    model = build_model(override(load_recipe("demo-nw-ucla"), settings))
    x = torch.randn(4, 3, 16, 20, 1)
    output = model.backbone(x)
    assert not torch.equal(output.logits, model.backbone.classifier(output.pooled))
    output = model.eval().backbone(x)
    assert torch.equal(output.logits, model.backbone.classifier(output.pooled))


@every_backbone
def test_the_head_is_told_its_settings_whatever_the_backbone(backbone: str) -> None:
    settings = {
        "model.backbone": backbone,
        "model.base_channels": 8,
        "head.version": "V2",
        "head.prediction_threshold": 0.3,
        "head.use_probability_map": False,
    }
    model = build_model(override(load_recipe("demo-nw-ucla"), settings))
    assert model.head is not None
    told = [branch.contrast.settings for branch in [*model.head.spatial, *model.head.temporal]]
    assert len(told) == 8
    for one in told:
        assert (one.version, one.prediction_threshold, one.use_probability_map) == (
            "V2",
            0.3,
            False,
        )


# Three convolutions with bias in each block, which TCA-GCN's original has but never uses.
WIDTHS = (3, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
UNUSED = sum(3 * (ci + 1) * co for ci, co in itertools.pairwise(WIDTHS))
PARAMETERS = {  # without and with FR-Head
    "ctrgcn": {"ntu120-xset": (1_462_092, 1_999_048), "nw-ucla": (1_426_892, 1_934_197)},
    "stgcn": {"ntu120-xset": (2_108_322, 2_645_278), "nw-ucla": (2_073_122, 2_580_427)},
    "aagcn": {"ntu120-xset": (3_797_088, 4_334_044), "nw-ucla": (3_753_440, 4_260_745)},
    "tcagcn": {
        "ntu120-xset": (5_640_148 - UNUSED, 6_177_104 - UNUSED),
        "nw-ucla": (5_604_948 - UNUSED, 6_112_253 - UNUSED),
    },
}


def parameters(recipe: Recipe) -> int:
    return sum(parameter.numel() for parameter in build_model(recipe).parameters())


@pytest.mark.parametrize("backbone", PARAMETERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_as_many_parameters_as_the_reference(backbone: str, shape: str) -> None:
    recipe = override(load_recipe(shape), {"model.backbone": backbone})
    assert parameters(recipe) == PARAMETERS[backbone][shape][1]
    assert parameters(override(recipe, {"head.enabled": False})) == PARAMETERS[backbone][shape][0]


def test_unused_outputs_exist_in_training_only() -> None:
    recipe = override(
        load_recipe("demo-nw-ucla"), {"model.reference_outputs": 13, "model.base_channels": 8}
    )
    model = build_model(recipe)
    x = torch.randn(2, 3, 52, 20, 1)
    assert model.losses(x, torch.tensor([0, 9])).logits.shape == (2, 13)
    assert model.eval()(x).shape == (2, 10)


class Flat(Backbone):
    """A backbone that nobody needs: the mean over everything but the channels."""

    def __init__(
        self, adjacency: np.ndarray, classes: int, persons: int, base_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.level_channels = (3, 3, 3, 3)
        self.classifier = nn.Linear(3, classes)

    def forward(self, x: torch.Tensor) -> BackboneOutput:
        level = x.permute(0, 4, 1, 3, 2)
        lengths = (1, 2, 4, 4)
        pooled = x.mean((2, 3, 4))
        levels = tuple(level[..., ::length] for length in lengths)
        return BackboneOutput(self.classifier(pooled), pooled, levels)


def test_a_new_backbone_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ModuleType("frhead_core.models.flat")
    file.__dict__["Flat"] = Flat
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setitem(BACKBONES, "flat", BackboneEntry("Flat"))
    model = build_model(override(load_recipe("demo-nw-ucla"), {"model.backbone": "flat"}))
    losses = model.losses(torch.randn(2, 3, 52, 20, 1), torch.tensor([0, 1]))
    assert losses.head is not None and torch.isfinite(losses.head.total)


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@every_backbone
def test_a_backbone_is_a_file_that_knows_nothing_of_training_data_or_recipes(backbone: str) -> None:
    source = Path(registry.__file__).with_name(f"{backbone}.py").read_text(encoding="utf-8")
    ours = {name for name in imported(source) if name.startswith("frhead_core")}
    assert ours
    assert all(name.startswith(("frhead_core.models", "frhead_core.errors")) for name in ours)
    assert not any("fr_head" in name for name in ours)
