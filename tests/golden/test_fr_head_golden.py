"""The contrastive loss of FR-Head by itself, over two successive batches, against the reference."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from frhead_core.models.fr_head import ContrastSettings, PrototypeContrast, outcomes

FOLDER = Path(os.environ.get("FRHEAD_GOLDEN", Path(__file__).parent)) / "models"
SETTINGS_FILE = FOLDER / "frhead_unit.json"
SETTINGS: dict[str, Any] = json.loads(SETTINGS_FILE.read_text()) if SETTINGS_FILE.exists() else {}

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "frhead_unit.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def close(found: Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    largest = max(float(np.abs(expected).max(initial=0.0)), 1e-3)
    np.testing.assert_allclose(
        found.detach().double().numpy(), expected, rtol=0, atol=tolerance * largest
    )


def test_there_are_settings() -> None:
    assert SETTINGS, f"no {SETTINGS_FILE}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_two_batches(name: str, dtype: torch.dtype, arrays: dict[str, np.ndarray]) -> None:
    s = SETTINGS[name]
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
                features, probabilities, labels, outcome, contrast.prototypes
            )
            found |= {"score_fn": fn_score.T, "score_fp": fp_score.T}
            for key, mask in zip(("tp", "fn", "fp"), outcome, strict=True):
                np.testing.assert_array_equal(mask.numpy(), arrays[f"{name}/{key}{batch}"])
        precision = "f64/" if dtype == torch.float64 else ""
        for key, value in found.items():
            assert value is not None
            close(value, arrays[f"{name}/{precision}{key}{batch}"], dtype)
