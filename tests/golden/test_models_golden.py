"""Backbones, with and without FR-Head, against the numbers of the reference, case by case."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from frhead_core.models.fr_head import ContrastSettings, FRHead
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference.rules import head
from frhead_core.models.reference.weights import (
    BACKBONE_RULES,
    from_reference,
    load_reference_state,
)
from frhead_core.models.registry import build_backbone
from frhead_core.skeletons import skeleton
from tests.golden.cases import CASES, SUPPORTED
from tests.golden.files import MODELS, each, read_arrays

GRAPHS = {"ucla": "nw-ucla", "ntu_rgb_d": "ntu", "ntu": "ntu"}
DTYPES = (torch.float32, torch.float64)

pytestmark = pytest.mark.golden


class Case:
    """One golden file: the model with its weights, memory and batch, and the expected numbers."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        self.settings: dict[str, Any] = CASES[name]
        self.arrays = read_arrays(MODELS / self.settings["file"])
        self.dtype = dtype
        self.backbone = str(self.settings["backbone"])
        self.model = self._model()
        self._load_state()
        self.model.to(dtype)
        self.x = torch.from_numpy(self.arrays["x"]).to(dtype)
        self.labels = torch.from_numpy(self.arrays["y"])

    def _model(self) -> Recogniser:
        s = self.settings
        joints = skeleton(GRAPHS[s["graph"]])
        backbone = build_backbone(
            self.backbone,
            joints.adjacency(),
            classes=s["num_class"],
            persons=s["num_person"],
            base_channels=s["base_channel"],
            in_channels=s["in_channels"],
            dropout=s["drop_out"],
        )
        head = None
        if s["cl_mode"]:
            head = FRHead(
                backbone.level_channels,
                joints=s["num_point"],
                frames=s["num_frame"],
                classes=s["num_class"],
                level_weights=s["multi_cl_weights"],
                settings=ContrastSettings(
                    version=s["cl_version"],
                    prediction_threshold=s["pred_threshold"],
                    use_probability_map=s["use_p_map"],
                ),
            )
        return Recogniser(backbone, head, s["num_class"])

    def _load_state(self) -> None:
        source = read_arrays(MODELS / self.settings["state_from"])
        state = {
            key.removeprefix("state/"): torch.from_numpy(value.astype(np.float32))
            if value.dtype.kind == "f"
            else torch.from_numpy(value)
            for key, value in source.items()
            if key.startswith("state/")
        }
        state |= self.tensors("proto_before/", torch.float32)
        fresh = load_reference_state(self.model, state, self.backbone)
        assert not fresh, "every prototype of a case with a head is in its file"

    def tensors(self, prefix: str, dtype: torch.dtype) -> dict[str, Tensor]:
        return {
            key.removeprefix(prefix): torch.from_numpy(value).to(dtype)
            for key, value in self.arrays.items()
            if key.startswith(prefix)
        }

    def reference_pieces(self, ours: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of ours cut back into the reference's, through positions put into the map."""
        shapes = {
            key.removeprefix("state/"): value.shape
            for key, value in read_arrays(MODELS / self.settings["state_from"]).items()
            if key.startswith("state/")
        }
        pieces = {}
        for rule in [*BACKBONE_RULES[self.backbone](), *head()]:
            if rule.ours not in ours or any(name not in shapes for name in rule.reference):
                continue
            sizes = [int(np.prod(shapes[name])) for name in rule.reference]
            starts = np.cumsum([0, *sizes])
            positions = [
                torch.arange(start, start + size).view(shapes[name])
                for name, start, size in zip(rule.reference, starts, sizes, strict=False)
            ]
            order = rule.join(positions).flatten()
            flat = torch.empty(int(starts[-1]), dtype=ours[rule.ours].dtype)
            flat[order] = ours[rule.ours].flatten()
            for name, start, size in zip(rule.reference, starts, sizes, strict=False):
                pieces[name] = flat[start : start + size].view(shapes[name])
        return pieces


class Step:
    """A case's model after one forward and backward pass in training mode, without an update."""

    def __init__(self, case: Case) -> None:
        torch.set_num_threads(1)
        self.model = copy.deepcopy(case.model).train()
        self.losses = self.model.losses(case.x, case.labels)
        self.total = self.losses.cross_entropy
        if self.losses.head is not None:
            self.total = self.total + case.settings["w_cl_loss"] * self.losses.head.total
        self.total.backward()
        gradients = {n: p.grad for n, p in self.model.named_parameters() if p.grad is not None}
        self.gradients = case.reference_pieces(gradients)


@pytest.fixture(scope="module", params=each(SUPPORTED, "model that can be checked"))
def case_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=DTYPES, ids=["float32", "float64"])
def case(case_name: str, request: pytest.FixtureRequest) -> Case:
    """Tests leave its model as it is: they share it."""
    return Case(case_name, request.param)


@pytest.fixture(scope="module")
def step(case: Case) -> Step:
    return Step(case)


def assert_forward(found: Tensor, expected: np.ndarray | Tensor, dtype: torch.dtype) -> None:
    """The advised tolerance for activations: sharp in float64."""
    expected = torch.as_tensor(expected).double()
    largest = expected.abs().max().item()
    allowed = 1e-10 * largest if dtype == torch.float64 else 5e-5 * largest + 1e-6
    assert (found.detach().double() - expected).abs().max().item() <= allowed


def expected_array(case: Case, key: str) -> np.ndarray:
    """The float64 array where there is one and it is asked for."""
    if case.dtype == torch.float64:
        key = f"f64/{key}"
    return case.arrays[key]


def test_evaluation_as_arranged_for_inference(case: Case) -> None:
    asked = copy.deepcopy(case.model).eval().for_inference(case.dtype)
    with torch.no_grad():
        logits, pooled, _ = asked.backbone(case.x)
    assert_forward(logits, expected_array(case, "logits_eval"), case.dtype)
    if "hidden_eval" in case.arrays:
        assert_forward(pooled, case.arrays["hidden_eval"], torch.float32)


def test_evaluation(case: Case) -> None:
    outputs: list[Tensor] = []
    model = copy.deepcopy(case.model).eval()
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    with torch.no_grad():
        logits, pooled, _ = model.backbone(case.x)
    assert_forward(logits, expected_array(case, "logits_eval"), case.dtype)
    if "hidden_eval" in case.arrays:
        assert_forward(pooled, case.arrays["hidden_eval"], torch.float32)
    found = [(o.double().mean().item(), o.double().norm().item()) for o in outputs]
    np.testing.assert_allclose(found, case.arrays["layer_stats_eval"], rtol=1e-4, atol=1e-5)


def test_training_step_losses(case: Case, step: Step) -> None:
    losses = step.losses
    assert_forward(losses.logits, expected_array(case, "logits_train"), case.dtype)
    tolerance = 1e-10 if case.dtype == torch.float64 else 1e-5
    values = {"ce_loss": losses.cross_entropy, "total_loss": step.total}
    if losses.head is not None:
        values["cl_loss"] = losses.head.total
        for level, terms in zip(("low", "mid", "high", "fin"), losses.head.terms, strict=True):
            for kind, term in zip(("spatio", "tempor"), terms, strict=True):
                values[f"cl_part/ren_{level}.{kind}_cl_net"] = term
    for key, value in values.items():
        assert value.item() == pytest.approx(float(expected_array(case, key)), rel=tolerance), key


def test_training_step_gradients(case: Case, step: Step) -> None:
    prefix = "f64/grad/" if case.dtype == torch.float64 else "grad/"
    expected = case.tensors(prefix, torch.float64)
    assert expected
    for name, gradient in expected.items():
        difference = (step.gradients[name].double() - gradient).norm() / gradient.norm()
        if case.dtype == torch.float64:
            allowed = 1e-8
        elif name.startswith(("fc.", "ren_")):
            allowed = 1e-4
        else:
            allowed = 0.1 if name.endswith("alpha") else 0.05
        assert difference <= allowed, name


def test_gradient_norm_of_every_parameter(case: Case, step: Step) -> None:
    names = [str(name) for name in case.arrays["grad_norm_names"]]
    for name, expected in zip(names, case.arrays["grad_norms"], strict=True):
        if expected == -1:
            assert name not in step.gradients, f"{name} is unused in the reference"
        elif expected > 1e-4:
            # A scalar's gradient is a sum with cancellation, so its norm is less sharp.
            tolerance = 0.1 if name.endswith("alpha") else 0.02
            found = step.gradients[name].norm().item()
            assert found == pytest.approx(float(expected), rel=tolerance), name
        else:
            assert step.gradients[name].norm().item() < 1e-3, name


def test_prototypes_and_statistics_after_a_step(case: Case, step: Step) -> None:
    state = step.model.state_dict()
    prototypes = case.tensors("proto_after/", torch.float32)
    for name, expected in from_reference(prototypes, case.backbone, head=True).items():
        assert_forward(state[name], expected, torch.float32)
    statistics = case.tensors("bn_after/", torch.float32)
    assert statistics
    pieces = case.reference_pieces(state)
    for name, expected in statistics.items():
        assert_forward(pieces[name], expected, torch.float32)
