from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frhead_core.models.fr_head import (
    ContrastSettings,
    FRHead,
    PrototypeContrast,
    class_sums,
    direction,
    outcomes,
)


def batch(samples: int = 8, classes: int = 4, channels: int = 6) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    features = torch.randn(samples, channels, requires_grad=True)
    return features, 2 * torch.randn(samples, classes), torch.randint(0, classes, (samples,))


@given(seed=st.integers(0, 1000), threshold=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_outcomes_partition_truth_and_prediction(seed: int, threshold: float) -> None:
    torch.manual_seed(seed)
    probabilities = torch.randn(9, 5).softmax(1)
    labels = torch.randint(0, 5, (9,))
    tp, fn, fp = outcomes(probabilities, labels, threshold)
    right = probabilities.argmax(1) == labels
    assert torch.equal(fn.sum(1).bool(), ~right)
    assert torch.equal(fp.sum(1).bool(), ~right)
    confident = probabilities.max(1).values > threshold
    assert torch.equal(tp.sum(1).bool(), right & confident)


def test_prototypes_of_classes_without_a_true_positive_stay() -> None:
    contrast = PrototypeContrast(4, 6, ContrastSettings())
    before = contrast.prototypes.clone()
    features, _, labels = batch()
    logits = torch.nn.functional.one_hot((labels + 1) % 4, 4).float() * 9  # all wrong
    contrast(features, logits, labels)
    assert torch.equal(contrast.prototypes, before)


def test_prototypes_move_by_the_momentum() -> None:
    contrast = PrototypeContrast(4, 6, ContrastSettings(momentum=0.75))
    before = contrast.prototypes.clone()
    features, _, labels = batch()
    contrast(features, torch.nn.functional.one_hot(labels, 4).float() * 9, labels)
    for k in labels.unique():
        mean = features[labels == k].mean(0)
        torch.testing.assert_close(contrast.prototypes[k], 0.75 * before[k] + 0.25 * mean)


def test_evaluation_leaves_the_prototypes() -> None:
    contrast = PrototypeContrast(4, 6, ContrastSettings()).eval()
    before = contrast.prototypes.clone()
    contrast(*batch())
    assert torch.equal(contrast.prototypes, before)


def test_prototypes_are_state_without_a_graph() -> None:
    contrast = PrototypeContrast(4, 6, ContrastSettings())
    contrast(*batch()).backward()
    assert not contrast.prototypes.requires_grad
    other = PrototypeContrast(4, 6, ContrastSettings())
    other.load_state_dict(contrast.state_dict())
    assert torch.equal(other.prototypes, contrast.prototypes)
    assert copy.deepcopy(contrast).double().prototypes.dtype == torch.float64


def test_no_gradient_reaches_the_logits() -> None:
    features, logits, labels = batch()
    logits.requires_grad_()
    PrototypeContrast(4, 6, ContrastSettings())(features, logits, labels).backward()
    assert logits.grad is None
    assert features.grad is not None


@pytest.mark.parametrize(
    ("version", "calibrates_fn", "calibrates_fp"),
    [
        ("V0", True, True),
        ("V1", True, True),
        ("V2", True, True),
        ("NO FN", False, True),
        ("NO FP", True, False),
        ("NO FN & FP", False, False),
    ],
)
def test_versions_calibrate_what_they_say(
    version: str, calibrates_fn: bool, calibrates_fp: bool
) -> None:
    # So many samples that every class has true positives, false negatives and false positives.
    features, logits, labels = batch(samples=64)
    contrast = PrototypeContrast(4, 6, ContrastSettings(version=version))
    probabilities = logits.softmax(1)
    outcome = outcomes(probabilities, labels, 0.0)
    fn_score, fp_score = contrast.scores(
        features,
        probabilities,
        labels,
        outcome,
        contrast.prototypes,
        class_sums(features, outcome),
    )
    plain = direction(features) @ direction(contrast.prototypes).T / 0.125
    assert torch.equal(fn_score, plain) != calibrates_fn
    assert torch.equal(fp_score, plain) != calibrates_fp


def test_head_is_float32_under_bfloat16() -> None:
    torch.manual_seed(0)
    head = FRHead((4, 8, 8, 8), 20, 8, 5, (0.1, 0.2, 0.5, 1.0), ContrastSettings())
    lengths = (8, 4, 2, 2)
    levels = [
        torch.randn(3, 1, c, 20, t, dtype=torch.bfloat16)
        for c, t in zip((4, 8, 8, 8), lengths, strict=True)
    ]
    logits, labels = torch.randn(3, 5), torch.tensor([0, 3, 4])
    computed: list[torch.dtype] = []
    for module in head.modules():
        if isinstance(module, torch.nn.Conv1d | torch.nn.Linear | torch.nn.BatchNorm1d):
            module.register_forward_hook(lambda _, inputs, y: computed.append(y.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        loss = head(levels, logits, labels)
    assert len(computed) == 8 * 3
    assert set(computed) == {torch.float32}
    assert loss.total.dtype == torch.float32
    weighted = [w * (a + b) for w, (a, b) in zip((0.1, 0.2, 0.5, 1.0), loss.terms, strict=True)]
    torch.testing.assert_close(loss.total, sum(weighted, torch.zeros(())))
    assert head.spatial[0].contrast.prototypes.dtype == torch.float32
