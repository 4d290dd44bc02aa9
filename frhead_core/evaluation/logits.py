"""Logits and features of samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from frhead_core.config import Precision
from frhead_core.data.loader import SampleBatches
from frhead_core.models.recogniser import Recogniser
from frhead_core.progress import Reporter


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
    return sample_outputs(
        model, Recogniser.forward, batches, device=device, precision=precision, reporter=reporter
    )


@torch.inference_mode()
def sample_outputs(
    model: Recogniser,
    output: Callable[[Recogniser, Tensor], Tensor],
    batches: SampleBatches,
    *,
    device: torch.device,
    precision: Precision = "float32",
    reporter: Reporter | None = None,
) -> np.ndarray:
    """What a model makes of every sample of ``batches``, in their order.

    Args:
        model: Stays in the mode it is in.
        output: What to ask of the model: (N, C, T, V, M) to (N, K).
        batches: The samples.
        device: Where the model is.
        precision: Of the backbone.
        reporter: Told of the progress.

    Returns:
        (n, K) float32.
    """
    was_training = model.training
    bfloat16 = precision == "bfloat16"
    asked = model.eval().for_inference(torch.bfloat16 if bfloat16 else torch.float32)
    outputs = []
    for batch in batches.epoch():
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            each = output(asked, batch.coordinates.to(device))
        outputs.append(each.float().cpu().numpy())
        if reporter is not None:
            reporter.advance(len(batch.rows))
    model.train(was_training)
    return np.concatenate(outputs)
