"""The frame that ST-GCN and its successors share: ten blocks, pooling and a linear classifier.

A backbone fills in the two units of a block, a convolution over the graph of the joints and one
over frames. Inside the network, feature maps are (C, n, V, T) with n = N*M bodies: with channels
outermost a 1x1 convolution is one large matrix product, in both directions, and everything that
happens to a channel happens to one stretch of memory.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from frhead_core.models.backbone import Backbone, BackboneOutput, InputNormalisation
from frhead_core.models.channels_first import ChannelMap, float_mean, normalised


class NormalisedMap(nn.Sequential):
    """A 1x1 convolution that steps over frames, with batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        channel_map = ChannelMap(in_channels, out_channels)
        channel_map.reset(math.sqrt(2 / out_channels))
        super().__init__(channel_map, nn.BatchNorm1d(out_channels))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, ceil(T / stride))."""
        return normalised(self[1], self[0](x[..., :: self.stride]))


def residual_path(in_channels: int, out_channels: int, stride: int = 1) -> nn.Module:
    """The identity where it fits, else a strided 1x1 convolution with batch normalisation."""
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return NormalisedMap(in_channels, out_channels, stride)


class Block(nn.Module):
    """Graph convolution, temporal convolution and the residual around both, if there is one.

    Args:
        graph: From features (ci, n, V, T) to (co, n, V, T).
        temporal: From features (co, n, V, T) and a summand of the result, or None, to what is
            left when negatives are set to zero, (co, n, V, ceil(T / stride)).
        residual: From features (ci, n, V, T) to that summand.
    """

    def __init__(self, graph: nn.Module, temporal: nn.Module, residual: nn.Module | None) -> None:
        super().__init__()
        self.graph = graph
        self.temporal = temporal
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, ceil(T / stride))."""
        residual = None if self.residual is None else self.residual(x)
        y: Tensor = self.temporal(self.graph(x), residual)
        return y


class TenBlocks(Backbone):
    """Ten blocks, pooling and a linear classifier; the units of a block are the backbone's own.

    Args:
        adjacency: Initial topology (3, V, V): self, inward, outward.
        classes: Outputs K of the classifier.
        persons: Bodies M of a sample.
        base_channels: Channels B of the first blocks; the levels have B, 2B, 4B, 4B.
        in_channels: Coordinates C of a joint.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        adjacency: np.ndarray,
        classes: int,
        persons: int,
        base_channels: int = 64,
        in_channels: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        topology = torch.from_numpy(adjacency).float()
        B = base_channels
        self.level_channels = (B, 2 * B, 4 * B, 4 * B)
        self.input_normalisation = InputNormalisation(persons, topology.shape[-1], in_channels)
        widths = (in_channels, B, B, B, B, 2 * B, 2 * B, 2 * B, 4 * B, 4 * B, 4 * B)
        self.blocks = nn.ModuleList(
            self._block(widths[i], widths[i + 1], 2 if i in (4, 7) else 1, topology, i > 0)
            for i in range(10)
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(4 * B, classes)
        nn.init.normal_(self.classifier.weight, 0.0, math.sqrt(2 / classes))

    @abstractmethod
    def graph_convolution(
        self, in_channels: int, out_channels: int, adjacency: Tensor
    ) -> nn.Module:
        """A new ``graph`` of a :class:`Block`; ``adjacency`` is the initial (3, V, V) float32."""

    @abstractmethod
    def temporal_convolution(self, channels: int, stride: int) -> nn.Module:
        """A new ``temporal`` of a :class:`Block`."""

    def _block(
        self, in_channels: int, out_channels: int, stride: int, topology: Tensor, residual: bool
    ) -> Block:
        return Block(
            self.graph_convolution(in_channels, out_channels, topology),
            self.temporal_convolution(out_channels, stride),
            residual_path(in_channels, out_channels, stride) if residual else None,
        )

    def forward(self, x: Tensor) -> BackboneOutput:
        """Samples (N, C, T, V, M) to logits, pooled features and the head's four levels."""
        N, _, _, _, M = x.shape
        x = self.input_normalisation(x).transpose(0, 1).contiguous()  # (C, N*M, V, T)
        levels = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in (1, 5, 8, 10):
                levels.append(x.view(len(x), N, M, *x.shape[2:]).permute(1, 2, 0, 3, 4))
        pooled = float_mean(levels[-1], (1, 3, 4))  # (N, 4B)
        with torch.autocast(x.device.type, enabled=False):
            logits = self.classifier(self.dropout(pooled))
        return BackboneOutput(logits, pooled, tuple(levels))
