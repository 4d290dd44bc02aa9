"""A backbone with its FR-Head: what is trained, saved and asked."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frhead_core.models.backbone import Backbone
from frhead_core.models.fr_head import FRHead, HeadLoss


class Losses(NamedTuple):
    """What one batch gives in training.

    ``cross_entropy``: mean over the batch. ``head``: loss of the FR-Head, None without one.
    ``logits``: (N, outputs) float32.
    """

    cross_entropy: Tensor
    head: HeadLoss | None
    logits: Tensor


class Recogniser(nn.Module):
    """A backbone, and the FR-Head that refines its features in training.

    Args:
        backbone: Gives logits and the features that the head refines.
        head: The head, or None to train with cross-entropy alone.
        classes: Classes K; outputs beyond them exist in training only.
    """

    def __init__(self, backbone: Backbone, head: FRHead | None, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, C, T, V, M) to logits (N, K)."""
        logits: Tensor = self.backbone(x).logits
        return logits[:, : self.classes]

    def features(self, x: Tensor) -> Tensor:
        """Samples (N, C, T, V, M) to what the classifier sees of them, (N, C) float32."""
        pooled: Tensor = self.backbone(x).pooled
        return pooled

    def for_inference(self, dtype: torch.dtype) -> Recogniser:
        """This model without its head, for asking only: see :meth:`Backbone.for_inference`."""
        return Recogniser(self.backbone.for_inference(dtype), None, self.classes).eval()

    def losses(self, x: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Losses:
        """The loss terms of a batch; in training this updates the prototypes.

        Args:
            x: Samples (N, C, T, V, M).
            labels: (N,) int64.
            label_smoothing: Share of the truth that is spread over all outputs.
        """
        output = self.backbone(x)
        head = None
        if self.head is not None:
            head = self.head(output.levels, output.logits, labels)
        cross_entropy = F.cross_entropy(output.logits, labels, label_smoothing=label_smoothing)
        return Losses(cross_entropy, head, output.logits)
