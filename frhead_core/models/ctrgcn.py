"""CTR-GCN: channel-wise topology refinement graph convolution.

Chen et al., "Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
Recognition", ICCV 2021. Inside the network, feature maps are (C, n, V, T) with n = N*M bodies:
with channels outermost a 1x1 convolution is one large matrix product, in both directions, and
everything that happens to a channel happens to one stretch of memory.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from frhead_core.models.backbone import BackboneOutput, InputNormalisation
from frhead_core.models.channels_first import (
    ChannelMap,
    channel_convolution,
    float_mean,
    maximum_of_three,
    normalised,
    subset_product,
)

SUBSETS = 3
RELATION_REDUCTION = 8
FIRST_BLOCK_RELATION_CHANNELS = 8


class GraphConvolution(nn.Module):
    """Channel-wise topology refinement, equations 3 to 8 of the CTR-GCN paper, over three subsets.

    Rows of the adjacency are targets: out[u] = sum_v A[u, v] x[v]. The adjacency is learnt from
    its initial value and, scaled by one learnt ``alpha``, refined for each sample and channel by
    a relation between the time averages of two joints.

    Args:
        in_channels: Channels ci of the input.
        out_channels: Channels co of the output.
        adjacency: Initial topology (3, V, V), float32.
    """

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.relation_channels = relation_channels(in_channels)
        self.adjacency = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        # Both sides of the relation (target, source) for all subsets in one map.
        self.relation = ChannelMap(in_channels, SUBSETS * 2 * self.relation_channels)
        self.refinement_weight = nn.Parameter(
            torch.empty(SUBSETS, out_channels, self.relation_channels)
        )
        self.refinement_bias = nn.Parameter(torch.zeros(SUBSETS, out_channels))
        self.features = ChannelMap(in_channels, SUBSETS * out_channels)
        self.normalisation = nn.BatchNorm1d(out_channels)
        self.residual: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.residual = NormalisedMap(in_channels, out_channels)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        self.relation.reset(math.sqrt(2 / self.relation_channels))
        deviation = math.sqrt(2 / self.out_channels)
        nn.init.normal_(self.refinement_weight, 0.0, deviation)
        self.features.reset(deviation)
        # Nearly no contribution at the start: each block begins as its residual path.
        nn.init.constant_(self.normalisation.weight, 1e-6)

    def topology(self, x: Tensor) -> Tensor:
        """The refined topology of each subset, channel and body.

        Args:
            x: Features (ci, n, V, T).

        Returns:
            (3, co, n, V targets, V sources).
        """
        _, n, V, T = x.shape
        # The mean over time commutes with a 1x1 convolution and makes it T times cheaper.
        relation = self.relation(x.sum(3) / T)
        relation = relation.view(SUBSETS, 2, self.relation_channels, n, V)
        target, source = relation.unbind(1)  # each (3, r, n, V)
        difference = torch.tanh(target.unsqueeze(4) - source.unsqueeze(3))  # (3, r, n, u, v)
        # Adjacency and bias are two more channels of the difference: no pass of their own.
        adjacency = self.adjacency.to(difference.dtype)[:, None, None].expand(-1, 1, n, V, V)
        ones = difference.new_ones(()).expand_as(adjacency)
        terms = torch.cat((difference, adjacency, ones), 1).flatten(2)  # (3, r + 2, n*u*v)
        weight = torch.cat(
            (
                self.alpha * self.refinement_weight,
                torch.ones_like(self.refinement_bias).unsqueeze(2),
                (self.alpha * self.refinement_bias).unsqueeze(2),
            ),
            2,
        )
        return torch.bmm(weight, terms).view(SUBSETS, self.out_channels, n, V, V)

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, T)."""
        features = self.features(x).view(SUBSETS, self.out_channels, *x.shape[1:])
        y = subset_product(self.topology(x).to(features.dtype), features)
        return normalised(self.normalisation, y, plus=self.residual(x), rectify=True)


class TemporalConvolution(nn.Module):
    """Multi-scale temporal convolution: dilations 1 and 2, a max-pool and a plain branch.

    Args:
        channels: Channels of input and output; each branch has a quarter.
        stride: Step over frames; T frames become ceil(T / stride).
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.branch_channels = channels // 4
        b = self.branch_channels
        self.entry = ChannelMap(channels, 3 * b)
        self.entry_normalisation = nn.BatchNorm1d(3 * b)
        self.dilated = nn.ModuleList(
            nn.Conv2d(b, b, (1, 5), (1, stride), (0, 2 * d), (1, d)) for d in (1, 2)
        )
        self.plain = ChannelMap(channels, b)
        # The last operation of all four branches is batch normalisation: one for all.
        self.normalisation = nn.BatchNorm1d(channels)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        b = self.branch_channels
        self.entry.reset(math.sqrt(2 / b))
        self.plain.reset(math.sqrt(2 / b))
        for convolution in self.dilated:
            assert isinstance(convolution, nn.Conv2d)
            assert convolution.bias is not None
            nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / (5 * b)))
            nn.init.zeros_(convolution.bias)
        nn.init.normal_(self.entry_normalisation.weight, 1.0, 0.02)
        nn.init.normal_(self.normalisation.weight, 1.0, 0.02)

    def forward(self, x: Tensor, plus: Tensor | None) -> Tensor:
        """Features (c, n, V, T), and a summand of the result, to (c, n, V, ceil(T / stride))."""
        entered = normalised(self.entry_normalisation, self.entry(x), rectify=True)
        first, second, third = torch.split(entered, self.branch_channels)
        branches = (
            channel_convolution(self.dilated[0], first),
            channel_convolution(self.dilated[1], second),
            maximum_of_three(third, self.stride),
            self.plain(x[..., :: self.stride]),
        )
        return normalised(self.normalisation, torch.cat(branches), plus=plus, rectify=True)


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


class Block(nn.Module):
    """Graph convolution, temporal convolution and the residual around both.

    ``residual``: none in the first block, identity where the shape stays, else a strided 1x1
    convolution with batch normalisation.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, adjacency: Tensor, residual: bool
    ) -> None:
        super().__init__()
        self.graph = GraphConvolution(in_channels, out_channels, adjacency)
        self.temporal = TemporalConvolution(out_channels, stride)
        self.residual: nn.Module | None = None
        if residual and (in_channels != out_channels or stride != 1):
            self.residual = NormalisedMap(in_channels, out_channels, stride)
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, ceil(T / stride))."""
        residual = None if self.residual is None else self.residual(x)
        y: Tensor = self.temporal(self.graph(x), residual)
        return y


class CTRGCN(nn.Module):
    """The CTR-GCN backbone: ten blocks, pooling and a linear classifier.

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
            Block(
                widths[i],
                widths[i + 1],
                stride=2 if i in (4, 7) else 1,
                adjacency=topology,
                residual=i > 0,
            )
            for i in range(10)
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(4 * B, classes)
        nn.init.normal_(self.classifier.weight, 0.0, math.sqrt(2 / classes))

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


def relation_channels(in_channels: int) -> int:
    """Channels r in which the relation of two joints is modelled."""
    if in_channels in (3, 9):
        return FIRST_BLOCK_RELATION_CHANNELS
    return in_channels // RELATION_REDUCTION
