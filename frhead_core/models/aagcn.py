"""AAGCN: an adaptive topology, and attention to joints, frames and channels.

Shi, Zhang, Cheng and Lu, "Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based
Action Recognition", CVPR 2019, with the attention of "Skeleton-Based Action Recognition with
Multi-Stream Adaptive Graph Convolutional Networks", TIP 2020.

Columns of a topology are targets: out[w] = sum_v x[v] A[v, w], so that the graph's inward links
carry from a parent to its children. That is the transpose of what CTR-GCN does with the same graph,
and it is kept, because the published weights were learnt so.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from frhead_core.models.channels_first import ChannelMap, float_mean, normalised
from frhead_core.models.shared_topology import SubsetConvolution, TemporalConvolution
from frhead_core.models.ten_blocks import TenBlocks, residual_path

RELATION_REDUCTION = 4
ATTENTION_REDUCTION = 2
FRAMES_SEEN = 9


class Attention(nn.Module):
    """Attention to joints, then to frames, then to channels: each time x becomes x + x * gate.

    The gates are numbers between 0 and 1, of each joint, frame and channel of each body. The mean
    that the next gate is made of is a weighted mean of the one input, so that it is multiplied by
    all three at once.

    Args:
        channels: Channels c of input and output.
        joints: Joints V.
    """

    def __init__(self, channels: int, joints: int) -> None:
        super().__init__()
        # An even kernel cannot be centred: of an even number of joints it sees one less.
        seen = joints if joints % 2 else joints - 1
        self.joints = nn.Conv1d(channels, 1, seen, padding=seen // 2)
        self.frames = nn.Conv1d(channels, 1, FRAMES_SEEN, padding=FRAMES_SEEN // 2)
        self.squeeze = nn.Linear(channels, channels // ATTENTION_REDUCTION)
        self.expand = nn.Linear(channels // ATTENTION_REDUCTION, channels)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        nn.init.xavier_normal_(self.joints.weight)
        nn.init.kaiming_normal_(self.squeeze.weight)
        for weight in (self.frames.weight, self.expand.weight):
            nn.init.zeros_(weight)
        for layer in (self.joints, self.frames, self.squeeze, self.expand):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Features (c, n, V, T), of the same shape after attention."""
        joints = 1 + self.joints(float_mean(x, (3,)).transpose(0, 1)).sigmoid()  # (n, 1, V)
        mean = torch.matmul(joints.to(x.dtype), x).squeeze(2) / x.shape[2]  # (c, n, T)
        frames = 1 + self.frames(mean.transpose(0, 1)).sigmoid()  # (n, 1, T)
        mean = float_mean(mean * frames.squeeze(1), (2,)).T  # (n, c)
        channels = 1 + self.expand(self.squeeze(mean).relu()).sigmoid()  # (n, c)
        places = joints.transpose(1, 2) * frames  # (n, V, T)
        y: Tensor = x * places.to(x.dtype) * channels.T[:, :, None, None].to(x.dtype)
        return y


class GraphConvolution(nn.Module):
    """Joints mixed by a learnt topology, plus one that each sample makes of its own features.

    Args:
        in_channels: Channels ci of the input.
        out_channels: Channels co of the output.
        adjacency: Initial topology (3, V, V), float32.
    """

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__()
        subsets, joints, _ = adjacency.shape
        self.relation_channels = out_channels // RELATION_REDUCTION
        self.adjacency = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        # Both sides of the relation (source, target) for all subsets in one map.
        self.relation = ChannelMap(in_channels, subsets * 2 * self.relation_channels)
        self.relation.reset(math.sqrt(2 / self.relation_channels))
        self.convolution = SubsetConvolution(in_channels, out_channels, subsets)
        self.normalisation = nn.BatchNorm1d(out_channels)
        self.residual = residual_path(in_channels, out_channels)
        self.attention = Attention(out_channels, joints)
        # Nearly no contribution at the start: each block begins as its residual path.
        nn.init.constant_(self.normalisation.weight, 1e-6)

    def topology(self, x: Tensor) -> Tensor:
        """The topology of each body and subset.

        Args:
            x: Features (ci, n, V, T).

        Returns:
            (n, 3, V sources, V targets).
        """
        sides = self.relation(x).view(-1, 2, self.relation_channels, *x.shape[1:])
        source, target = sides.unbind(1)  # each (3, i, n, V, T)
        similarity = torch.einsum("sinvt,sinwt->nsvw", source, target)
        relation = torch.tanh(similarity / (self.relation_channels * x.shape[3]))
        return self.adjacency + self.alpha * relation

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, T)."""
        y = self.convolution(x, self.topology(x))
        y = normalised(self.normalisation, y, plus=self.residual(x), rectify=True)
        attended: Tensor = self.attention(y)
        return attended


class AAGCN(TenBlocks):
    """The AAGCN backbone."""

    def graph_convolution(
        self, in_channels: int, out_channels: int, adjacency: Tensor
    ) -> GraphConvolution:
        return GraphConvolution(in_channels, out_channels, adjacency)

    def temporal_convolution(self, channels: int, stride: int) -> TemporalConvolution:
        return TemporalConvolution(channels, stride, FRAMES_SEEN)
