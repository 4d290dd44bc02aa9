"""Logits of samples."""

from __future__ import annotations

import numpy as np
import torch

from frhead_core.config import Precision
from frhead_core.data.loader import SampleBatches
from frhead_core.models.recogniser import Recogniser
from frhead_core.progress import Reporter


def for_asking(model: Recogniser, precision: Precision) -> Recogniser:
    """A model, put into evaluation mode, as :func:`model_logits` wants it: as fast as is known."""
    return model.eval().for_inference(_dtype(precision))


@torch.inference_mode()
def model_logits(
    asked: Recogniser, coordinates: torch.Tensor, device: torch.device, precision: Precision
) -> np.ndarray:
    """Logits of one batch (N, C, T, V, M) by a model from :func:`for_asking`: (N, K) float32."""
    dtype = _dtype(precision)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        output = asked(coordinates.to(device))
    return np.asarray(output.float().cpu().numpy())


def score_samples(
    model: Recogniser,
    batches: SampleBatches,
    *,
    device: torch.device,
    precision: Precision = "float32",
    reporter: Reporter | None = None,
) -> np.ndarray:
    """Logits of every sample of ``batches``, in their order.

    The model stays in the mode it is in.

    Returns:
        (n, K) float32.
    """
    was_training = model.training
    asked = for_asking(model, precision)
    logits = []
    for batch in batches.epoch():
        logits.append(model_logits(asked, batch.coordinates, device, precision))
        if reporter is not None:
            reporter.advance(len(batch.rows))
    model.train(was_training)
    return np.concatenate(logits)


def _dtype(precision: Precision) -> torch.dtype:
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
