"""CTR-GCN: channel-wise topology refinement graph convolution.

Chen et al., "Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
Recognition", ICCV 2021. Feature maps are (C, n, V, T) with n = N*M bodies, as in all backbones of
:mod:`frhead_core.models.ten_blocks`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from frhead_core.models.backbone import Backbone
from frhead_core.models.channels_first import (
    ChannelMap,
    GraphOperands,
    channel_convolution,
    graph_product,
    maximum_of_three,
    normalised,
)
from frhead_core.models.ten_blocks import TenBlocks, residual_path

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
        self.residual = residual_path(in_channels, out_channels)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        self.relation.reset(math.sqrt(2 / self.relation_channels))
        deviation = math.sqrt(2 / self.out_channels)
        nn.init.normal_(self.refinement_weight, 0.0, deviation)
        self.features.reset(deviation)
        # Nearly no contribution at the start: each block begins as its residual path.
        nn.init.constant_(self.normalisation.weight, 1e-6)

    def refinement(self) -> Tensor:
        """The last map of the relation, (3, co, r + 2); see :meth:`relation_terms`."""
        return torch.cat(
            (
                self.alpha * self.refinement_weight,
                torch.ones_like(self.refinement_bias).unsqueeze(2),
                (self.alpha * self.refinement_bias).unsqueeze(2),
            ),
            2,
        )

    def relation_terms(self, x: Tensor) -> Tensor:
        """What the refined topologies are combinations of, the same for all output channels.

        Args:
            x: Features (ci, n, V, T).

        Returns:
            (3, r + 2, n, V targets, V sources): the relation, the adjacency, and ones for the bias.
        """
        _, n, V, T = x.shape
        # The mean over time commutes with a 1x1 convolution and makes it T times cheaper.
        relation = self.relation(x.sum(3) / T)
        relation = relation.view(SUBSETS, 2, self.relation_channels, n, V)
        target, source = relation.unbind(1)  # each (3, r, n, V)
        difference = torch.tanh(target.unsqueeze(4) - source.unsqueeze(3))  # (3, r, n, u, v)
        adjacency = self.adjacency.to(difference.dtype)[:, None, None].expand(-1, 1, n, V, V)
        ones = difference.new_ones(()).expand_as(adjacency)
        return torch.cat((difference, adjacency, ones), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, T)."""
        operands = GraphOperands(
            x,
            self.features.weight.view(SUBSETS, self.out_channels, -1),
            self.features.bias.view(SUBSETS, -1),
            self.relation_terms(x),
            self.refinement(),
        )
        y = graph_product(operands)
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

    def branches(self, x: Tensor) -> Tensor:
        """The four branches of features (c, n, V, T), before their last normalisation."""
        entered = normalised(self.entry_normalisation, self.entry(x), rectify=True)
        first, second, third = torch.split(entered, self.branch_channels)
        branches = (
            channel_convolution(self.dilated[0], first),
            channel_convolution(self.dilated[1], second),
            maximum_of_three(third, self.stride),
            self.plain(x[..., :: self.stride]),
        )
        return torch.cat(branches)

    def forward(self, x: Tensor, plus: Tensor | None) -> Tensor:
        """Features (c, n, V, T), and a summand of the result, to (c, n, V, ceil(T / stride))."""
        return normalised(self.normalisation, self.branches(x), plus=plus, rectify=True)


class CTRGCN(TenBlocks):
    """The CTR-GCN backbone."""

    def graph_convolution(
        self, in_channels: int, out_channels: int, adjacency: Tensor
    ) -> GraphConvolution:
        return GraphConvolution(in_channels, out_channels, adjacency)

    def temporal_convolution(self, channels: int, stride: int) -> TemporalConvolution:
        return TemporalConvolution(channels, stride)

    def for_inference(self, dtype: torch.dtype) -> Backbone:
        from frhead_core.models.ctrgcn_inference import FoldedCTRGCN  # noqa: PLC0415 - imports this

        return FoldedCTRGCN(self, dtype)


def relation_channels(in_channels: int) -> int:
    """Channels r in which the relation of two joints is modelled."""
    if in_channels in (3, 9):
        return FIRST_BLOCK_RELATION_CHANNELS
    return in_channels // RELATION_REDUCTION
