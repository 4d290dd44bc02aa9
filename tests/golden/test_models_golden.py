"""CTR-GCN with FR-Head against the numbers of the reference, for every case in the folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from frhead_core.models.fr_head import ContrastSettings, FRHead
from frhead_core.models.recogniser import Losses, Recogniser
from frhead_core.models.reference_weights import (
    BACKBONE_RULES,
    from_reference,
    head_rules,
    load_reference_state,
)
from frhead_core.models.registry import BACKBONES
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
        backbone = BACKBONES[self.backbone](
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

    def train_step(self) -> tuple[Losses, Tensor]:
        """One forward and backward pass in training mode, without an update."""
        torch.set_num_threads(1)
        self.model.train()
        losses = self.model.losses(self.x, self.labels)
        total = losses.cross_entropy
        if losses.head is not None:
            total = total + self.settings["w_cl_loss"] * losses.head.total
        total.backward()
        return losses, total.detach()

    def reference_pieces(self, ours: dict[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of ours cut back into the reference's, through positions put into the map."""
        shapes = {
            key.removeprefix("state/"): value.shape
            for key, value in read_arrays(MODELS / self.settings["state_from"]).items()
            if key.startswith("state/")
        }
        pieces = {}
        for rule in [*BACKBONE_RULES[self.backbone](), *head_rules()]:
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

    def gradients(self) -> dict[str, Tensor]:
        ours = {n: p.grad for n, p in self.model.named_parameters() if p.grad is not None}
        return self.reference_pieces(ours)


@pytest.fixture(params=each(SUPPORTED, "model that can be checked"))
def case_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=DTYPES, ids=["float32", "float64"])
def case(case_name: str, request: pytest.FixtureRequest) -> Iterator[Case]:
    yield Case(case_name, request.param)


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


def test_evaluation_logits(case: Case) -> None:
    case.model.eval()
    with torch.no_grad():
        assert_forward(case.model(case.x), expected_array(case, "logits_eval"), case.dtype)


def test_evaluation_as_arranged_for_inference(case: Case) -> None:
    asked = case.model.eval().for_inference(case.dtype)
    with torch.no_grad():
        assert_forward(asked(case.x), expected_array(case, "logits_eval"), case.dtype)
        pooled = asked.backbone(case.x).pooled
    if "hidden_eval" in case.arrays and case.dtype == torch.float32:
        assert_forward(pooled, case.arrays["hidden_eval"], case.dtype)


def test_evaluation_features_and_blocks(case_name: str) -> None:
    case = Case(case_name, torch.float32)
    outputs: list[Tensor] = []
    for block in case.model.backbone.blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    case.model.eval()
    with torch.no_grad():
        pooled = case.model.backbone(case.x).pooled
    if "hidden_eval" in case.arrays:
        assert_forward(pooled, case.arrays["hidden_eval"], case.dtype)
    found = [(o.double().mean().item(), o.double().norm().item()) for o in outputs]
    np.testing.assert_allclose(found, case.arrays["layer_stats_eval"], rtol=1e-4, atol=1e-5)


def test_training_step_losses(case: Case) -> None:
    losses, total = case.train_step()
    assert_forward(losses.logits, expected_array(case, "logits_train"), case.dtype)
    tolerance = 1e-10 if case.dtype == torch.float64 else 1e-5
    values = {"ce_loss": losses.cross_entropy, "total_loss": total}
    if losses.head is not None:
        values["cl_loss"] = losses.head.total
        for level, terms in zip(("low", "mid", "high", "fin"), losses.head.terms, strict=True):
            for kind, term in zip(("spatio", "tempor"), terms, strict=True):
                values[f"cl_part/ren_{level}.{kind}_cl_net"] = term
    for key, value in values.items():
        assert value.item() == pytest.approx(float(expected_array(case, key)), rel=tolerance), key


def test_training_step_gradients(case: Case) -> None:
    case.train_step()
    found = case.gradients()
    prefix = "f64/grad/" if case.dtype == torch.float64 else "grad/"
    expected = case.tensors(prefix, torch.float64)
    assert expected
    for name, gradient in expected.items():
        difference = (found[name].double() - gradient).norm() / gradient.norm()
        if case.dtype == torch.float64:
            allowed = 1e-8
        elif name.startswith(("fc.", "ren_")):
            allowed = 1e-4
        else:
            allowed = 0.1 if name.endswith("alpha") else 0.05
        assert difference <= allowed, name


def test_gradient_norm_of_every_parameter(case_name: str) -> None:
    case = Case(case_name, torch.float32)
    case.train_step()
    found = case.gradients()
    names = [str(name) for name in case.arrays["grad_norm_names"]]
    for name, expected in zip(names, case.arrays["grad_norms"], strict=True):
        if expected == -1:
            assert name not in found, f"{name} is unused in the reference"
        elif expected > 1e-4:
            # A scalar's gradient is a sum with cancellation, so its norm is less sharp.
            tolerance = 0.1 if name.endswith("alpha") else 0.02
            assert found[name].norm().item() == pytest.approx(float(expected), rel=tolerance), name
        else:
            assert found[name].norm().item() < 1e-3, name


def test_prototypes_and_statistics_after_a_step(case_name: str) -> None:
    case = Case(case_name, torch.float32)
    case.train_step()
    expected = case.tensors("proto_after/", torch.float32) | case.tensors(
        "bn_after/", torch.float32
    )
    pieces = case.reference_pieces(case.model.state_dict())
    mapped = from_reference(case.tensors("proto_after/", torch.float32), case.backbone, head=True)
    for name, prototypes in mapped.items():
        assert_forward(case.model.state_dict()[name], prototypes, torch.float32)
    for name, value in expected.items():
        if name in pieces:
            assert_forward(pieces[name], value, torch.float32)
        else:
            assert name.endswith(".avg_f"), name
