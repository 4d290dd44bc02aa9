"""TCA-GCN: CTR-GCN whose features are gated frame by frame and whose time scales are weighed.

Wang et al., "Skeleton-based Action Recognition via Temporal-Channel Aggregation", 2022
(arXiv:2205.15936). Rows of a topology are targets, as in CTR-GCN: out[u] = sum_v A[u, v] x[v].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from frhead_core.errors import InputError
from frhead_core.models import ctrgcn
from frhead_core.models.channels_first import ChannelMap, float_mean, normalised
from frhead_core.models.ten_blocks import TenBlocks


class FrameGate(nn.Module):
    """A factor around 1 for each frame and channel, from the mean over joints and what is near.

    The temporally adaptive weights of Huang et al., "TAda! Temporally-Adaptive Convolutions for
    Video Understanding", ICLR 2022, for several maps at once. There the gates start at exactly 1;
    in the implementation by FR-Head's authors that start is overwritten, and so it is here: the
    last weights are drawn like the others.

    Args:
        in_channels: Channels ci of the input.
        out_channels: Channels co of each map's output.
        subsets: Maps S.
    """

    def __init__(self, in_channels: int, out_channels: int, subsets: int) -> None:
        super().__init__()
        self.subsets = subsets
        hidden = in_channels // 2
        self.context = ChannelMap(in_channels, subsets * in_channels)
        # Each map's gate is a group of its own.
        self.first = nn.Conv1d(
            subsets * in_channels, subsets * hidden, 3, padding=1, groups=subsets
        )
        self.normalisation = nn.BatchNorm1d(subsets * hidden)
        self.second = nn.Conv1d(
            subsets * hidden, subsets * out_channels, 3, padding=1, groups=subsets, bias=False
        )
        self.context.reset(math.sqrt(2 / in_channels))
        nn.init.normal_(self.first.weight, 0.0, math.sqrt(2 / (3 * hidden)))
        assert self.first.bias is not None
        nn.init.zeros_(self.first.bias)
        nn.init.normal_(self.second.weight, 0.0, math.sqrt(2 / (3 * out_channels)))

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to gates (S*co, n, T), the subset slowest."""
        frames = float_mean(x, (2,))  # (ci, n, T)
        context = self.context(float_mean(frames, (2,))).view(self.subsets, len(x), -1, 1)
        seen = (frames + context).flatten(0, 1).transpose(0, 1)  # (n, S*ci, T)
        hidden = self.normalisation(self.first(seen)).relu()
        gate: Tensor = 1 + self.second(hidden)
        return gate.transpose(0, 1)


class TimeAdaptiveMap(ChannelMap):
    """A 1x1 convolution for each subset, without bias, whose output is gated frame by frame."""

    def __init__(self, in_channels: int, out_channels: int, subsets: int) -> None:
        super().__init__(in_channels, subsets * out_channels, bias=False)
        self.gate = FrameGate(in_channels, out_channels, subsets)

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (S*co, n, V, T)."""
        y = torch.mm(self.weight, x.flatten(1)).view(-1, *x.shape[1:])
        gate: Tensor = self.gate(x)
        return y * gate.unsqueeze(2).to(y.dtype)


class GraphConvolution(ctrgcn.GraphConvolution):
    """CTR-GCN's, over features that a :class:`TimeAdaptiveMap` makes."""

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__(in_channels, out_channels, adjacency)
        self.features = TimeAdaptiveMap(in_channels, out_channels, len(adjacency))

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, T)."""
        _, n, V, T = x.shape
        terms = self.relation_terms(x).flatten(2)  # (S, r + 2, n*V*V)
        topology = torch.bmm(self.refinement(), terms).view(len(terms), -1, V, V)
        features = self.features(x).view(len(terms), -1, V, T)
        pairs = zip(topology.unbind(), features.unbind(), strict=True)
        y = torch.bmm(*next(pairs))  # (co*n, V, T)
        for of_subset, made in pairs:
            y = torch.baddbmm(y, of_subset, made)
        y = y.view(-1, n, V, T)
        return normalised(self.normalisation, y, plus=self.residual(x), rectify=True)


class TwoMaps(nn.Module):
    """Two 1x1 convolutions (c to c), each with batch normalisation, and a rectifier between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(ChannelMap(channels, channels) for _ in range(2))
        self.normalisations = nn.ModuleList(nn.BatchNorm1d(channels) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(c, ...), of the same shape."""
        x = normalised(self.normalisations[0], self.maps[0](x), rectify=True)
        return normalised(self.normalisations[1], self.maps[1](x))


class TemporalConvolution(ctrgcn.TemporalConvolution):
    """CTR-GCN's, with its branches weighed by what is seen locally and over the whole sequence.

    The fusion of Dai et al., "Attentional Feature Fusion", WACV 2021, of which only one of the two
    inputs is there: x becomes 2 x * sigmoid(local(x) + whole(mean x)).
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(channels, stride)
        self.local = TwoMaps(channels)
        self.whole = TwoMaps(channels)

    def forward(self, x: Tensor, plus: Tensor | None) -> Tensor:
        """Features (c, n, V, T), and a summand of the result, to (c, n, V, ceil(T / stride)).

        Raises:
            InputError: If there is only one body in training: there is nothing to normalise.
        """
        y = normalised(self.normalisation, self.branches(x))
        mean = float_mean(y, (2, 3))  # (c, n)
        if self.training and mean.shape[1] == 1:
            raise InputError(
                "TCA-GCN normalises over the bodies of a training batch",
                found="1 body",
                expected="2 or more",
            )
        weight = torch.sigmoid(self.local(y) + self.whole(mean)[:, :, None, None])
        y = 2 * y * weight.to(y.dtype)
        return (y if plus is None else y + plus).relu()


class TCAGCN(TenBlocks):
    """The TCA-GCN backbone."""

    def graph_convolution(
        self, in_channels: int, out_channels: int, adjacency: Tensor
    ) -> GraphConvolution:
        return GraphConvolution(in_channels, out_channels, adjacency)

    def temporal_convolution(self, channels: int, stride: int) -> TemporalConvolution:
        return TemporalConvolution(channels, stride)
