"""Logits of samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from frhead_core.config import Precision
from frhead_core.data.loader import SampleBatches
from frhead_core.progress import Reporter


@torch.inference_mode()
def score_samples(
    model: nn.Module,
    batches: SampleBatches,
    *,
    device: torch.device,
    precision: Precision = "float32",
    reporter: Reporter | None = None,
) -> np.ndarray:
    """Logits of every sample of ``batches``, in their order.

    The model is put into evaluation mode and back into the mode it was in.

    Returns:
        (n, K) float32.
    """
    was_training = model.training
    model.eval()
    logits = []
    for batch in batches.epoch():
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            output = model(batch.coordinates.to(device))
        logits.append(output.float().cpu().numpy())
        if reporter is not None:
            reporter.advance(len(batch.rows))
    model.train(was_training)
    return np.concatenate(logits)
