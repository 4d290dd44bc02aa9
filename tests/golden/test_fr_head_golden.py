"""The contrastive loss of FR-Head by itself, over two successive batches, against the reference."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from frhead_core.models.fr_head import ContrastSettings, PrototypeContrast, class_sums, outcomes
from tests.golden.files import MODELS, each, read_arrays, read_json

SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    (path.stem, name): settings
    for path in sorted(MODELS.glob("frhead_unit*.json"))
    for name, settings in read_json(path).items()
    if path.with_suffix(".npz").is_file()
}

pytestmark = pytest.mark.golden


@cache
def arrays_of(file: str) -> dict[str, np.ndarray]:
    return read_arrays(MODELS / f"{file}.npz")


def settings_in(file: str) -> set[str]:
    """Names of the settings that a file of arrays has results of."""
    results = (name for name in arrays_of(file) if name.endswith("/loss1"))
    return {name.removesuffix("/loss1").removesuffix("/f64") for name in results}


def close(found: Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    largest = max(float(np.abs(expected).max(initial=0.0)), 1e-3)
    np.testing.assert_allclose(
        found.detach().double().numpy(), expected, rtol=0, atol=tolerance * largest
    )


FILES = sorted({file for file, _ in SETTINGS})


@pytest.mark.parametrize("file", each(FILES, "arrays and settings of the loss"))
def test_every_result_has_its_settings(file: str) -> None:
    assert settings_in(file) == {name for of, name in SETTINGS if of == file}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("setting", each(SETTINGS, "arrays and settings of the loss"), ids="/".join)
def test_two_batches(setting: tuple[str, str], dtype: torch.dtype) -> None:
    s, arrays, name = SETTINGS[setting], arrays_of(setting[0]), setting[1]
    inputs = s["inputs"]
    weight = torch.from_numpy(arrays[f"{inputs}/w"]).to(dtype).requires_grad_()
    bias = torch.from_numpy(arrays[f"{inputs}/b"]).to(dtype).requires_grad_()
    contrast = PrototypeContrast(
        s["n_class"],
        s["h_channel"],
        ContrastSettings(
            version=s["version"],
            prediction_threshold=s["pred_threshold"],
            use_probability_map=s["use_p_map"],
            alpha=s["alp"],
            temperature=s["tmp"],
            momentum=s["mom"],
        ),
    ).to(dtype)
    contrast.prototypes.copy_(torch.from_numpy(arrays[f"{inputs}/proto"]).T)
    for batch in ("1", "2"):
        feature = torch.from_numpy(arrays[f"{inputs}/feature{batch}"]).to(dtype).requires_grad_()
        logits = torch.from_numpy(arrays[f"{inputs}/logits{batch}"]).to(dtype)
        labels = torch.from_numpy(arrays[f"{inputs}/labels{batch}"])
        weight.grad = bias.grad = None
        features = F.linear(feature, weight, bias)
        loss = contrast(features, logits, labels)
        loss.backward()
        found = {"loss": loss, "grad_feature": feature.grad}
        if dtype == torch.float32:
            found |= {
                "grad_cl_fc_weight": weight.grad,
                "grad_cl_fc_bias": bias.grad,
                "proto": contrast.prototypes.T,
            }
            probabilities = logits.softmax(1)
            outcome = outcomes(probabilities, labels, s["pred_threshold"])
            fn_score, fp_score = contrast.scores(
                features,
                probabilities,
                labels,
                outcome,
                contrast.prototypes,
                class_sums(features, outcome),
            )
            found |= {"score_fn": fn_score.T, "score_fp": fp_score.T}
            for key, mask in zip(("tp", "fn", "fp"), outcome, strict=True):
                np.testing.assert_array_equal(mask.numpy(), arrays[f"{name}/{key}{batch}"])
            for key, mask in (("fn", outcome.false_negative), ("fp", outcome.false_positive)):
                occurs = mask.any(0)[:, np.newaxis].numpy()
                np.testing.assert_array_equal(occurs, arrays[f"{name}/has_{key}{batch}"])
        precision = "f64/" if dtype == torch.float64 else ""
        for key, value in found.items():
            assert value is not None
            close(value, arrays[f"{name}/{precision}{key}{batch}"], dtype)
