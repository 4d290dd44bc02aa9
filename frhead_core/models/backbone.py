"""What every backbone shares: the normalised input and the form of the output."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class BackboneOutput(NamedTuple):
    """What a backbone returns.

    logits: (N, K) float32. pooled: (N, C) float32, the features before the classifier.
    levels: four feature maps (N, M, C, V, T) after blocks 1, 5, 8 and 10, which the FR-Head
    refines.
    """

    logits: Tensor
    pooled: Tensor
    levels: tuple[Tensor, ...]


class Backbone(nn.Module):
    """From samples (N, C, T, V, M) to a :class:`BackboneOutput`.

    Attributes:
        level_channels: Channels of the four feature maps in it.
    """

    level_channels: tuple[int, int, int, int]

    def for_inference(self, dtype: torch.dtype) -> Backbone:
        """The same function as this network in evaluation mode, as fast as is known.

        Args:
            dtype: Of features and weights where the result has some of its own; otherwise the
                caller's autocast decides.

        Returns:
            This network, put into evaluation mode, where nothing faster is known. What is trained
            afterwards may or may not reach the result.
        """
        return self.eval()


class InputNormalisation(nn.Module):
    """Batch normalisation of every coordinate of every joint of every body, over N and T.

    Args:
        persons: Bodies M.
        joints: Joints V.
        channels: Coordinates C.
    """

    def __init__(self, persons: int, joints: int, channels: int) -> None:
        super().__init__()
        self.normalisation = nn.BatchNorm1d(persons * joints * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Samples (N, C, T, V, M) to bodies (N*M, C, V, T), the body fastest within a sample."""
        N, C, T, V, M = x.shape
        x = x.permute(0, 4, 3, 1, 2).reshape(N, M * V * C, T)
        x = self.normalisation(x)
        return x.view(N, M, V, C, T).transpose(2, 3).reshape(N * M, C, V, T)
