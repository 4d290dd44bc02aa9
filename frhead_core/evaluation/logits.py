"""Logits of samples."""

from __future__ import annotations

import numpy as np
import torch

from frhead_core.config import Precision
from frhead_core.data.loader import SampleBatches
from frhead_core.models.recogniser import Recogniser
from frhead_core.progress import Reporter


@torch.inference_mode()
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
    bfloat16 = precision == "bfloat16"
    asked = model.eval().for_inference(torch.bfloat16 if bfloat16 else torch.float32)
    logits = []
    for batch in batches.epoch():
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            output = asked(batch.coordinates.to(device))
        logits.append(output.float().cpu().numpy())
        if reporter is not None:
            reporter.advance(len(batch.rows))
    model.train(was_training)
    return np.concatenate(logits)
