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


def for_asking(model: Recogniser, precision: Precision) -> Recogniser:
    """A model, put into evaluation mode, as :func:`output_of` wants it: as fast as is known."""
    return model.eval().for_inference(_dtype(precision))


@torch.inference_mode()
def output_of(
    asked: Recogniser,
    coordinates: Tensor,
    device: torch.device,
    precision: Precision,
    output: Callable[[Recogniser, Tensor], Tensor] = Recogniser.forward,
) -> np.ndarray:
    """Logits, or another output, of a batch (N, C, T, V, M): (N, K) float32.

    Args:
        asked: From :func:`for_asking`.
        coordinates: (N, C, T, V, M).
        device: Where the model is.
        precision: Of the backbone.
        output: What to ask of the model.
    """
    dtype = _dtype(precision)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        each = output(asked, coordinates.to(device))
    return np.asarray(each.float().cpu().numpy())


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
    asked = for_asking(model, precision)
    outputs = []
    for batch in batches.epoch():
        outputs.append(output_of(asked, batch.coordinates, device, precision, output))
        if reporter is not None:
            reporter.advance(len(batch.rows))
    model.train(was_training)
    return np.concatenate(outputs)


def _dtype(precision: Precision) -> torch.dtype:
    return torch.bfloat16 if precision == "bfloat16" else torch.float32
