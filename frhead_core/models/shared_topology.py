"""The units of backbones in which all channels share one topology: ST-GCN and AAGCN.

Here the columns of a topology are targets, out[w] = sum_v x[v] A[v, w], the transpose of what
CTR-GCN and TCA-GCN do. Feature maps are (C, n, V, T) with n = N*M bodies.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from frhead_core.models.channels_first import channel_convolution, normalised


def mixed_joints(x: Tensor, topology: Tensor) -> Tensor:
    """Features after one step over each subset's topology: out[w] = sum_v x[v] A[v, w].

    Args:
        x: (C, n, V, T).
        topology: (n, S, V sources, V targets), or (1, S, V, V) for all bodies.

    Returns:
        (S*C, n, V, T), the subset slowest.
    """
    C, n, V, T = x.shape
    bodies, S = topology.shape[:2]
    # Joints innermost and the subsets side by side make it one product for each topology.
    rows = x.permute(1, 0, 3, 2).reshape(bodies, -1, V)  # (n, C*T, V), or (1, n*C*T, V)
    columns = topology.transpose(1, 2).reshape(bodies, V, S * V)
    y = torch.bmm(rows, columns).view(n, C, T, S, V)
    return y.permute(3, 1, 0, 4, 2).reshape(S * C, n, V, T)


class SubsetConvolution(nn.Module):
    """A 1x1 convolution for each subset of what came over its topology, summed.

    Args:
        in_channels: Channels ci of the input.
        out_channels: Channels co of the output.
        subsets: Subsets S of the topology.
    """

    def __init__(self, in_channels: int, out_channels: int, subsets: int) -> None:
        super().__init__()
        deviation = math.sqrt(2 / (out_channels * in_channels * subsets))
        self.weight = nn.Parameter(torch.empty(out_channels, subsets * in_channels))
        nn.init.normal_(self.weight, 0.0, deviation)
        self.bias = nn.Parameter(torch.zeros(subsets, out_channels))

    def forward(self, x: Tensor, topology: Tensor) -> Tensor:
        """Features (ci, n, V, T) and a topology (n or 1, S, V, V) to (co, n, V, T)."""
        mixed = mixed_joints(x, topology).flatten(1)
        y = torch.addmm(self.bias.sum(0).unsqueeze(1), self.weight, mixed)
        return y.view(-1, *x.shape[1:])


class TemporalConvolution(nn.Module):
    """One convolution over frames, with batch normalisation.

    Args:
        channels: Channels c of input and output.
        stride: Step over frames; T frames become ceil(T / stride).
        kernel_size: Frames that the convolution sees, an odd number.
    """

    def __init__(self, channels: int, stride: int, kernel_size: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            channels, channels, (1, kernel_size), (1, stride), (0, kernel_size // 2)
        )
        self.normalisation = nn.BatchNorm1d(channels)
        assert self.convolution.bias is not None
        nn.init.normal_(self.convolution.weight, 0.0, math.sqrt(2 / (channels * kernel_size)))
        nn.init.zeros_(self.convolution.bias)

    def forward(self, x: Tensor, plus: Tensor | None) -> Tensor:
        """Features (c, n, V, T), and a summand of the result, to (c, n, V, ceil(T / stride))."""
        y = channel_convolution(self.convolution, x)
        return normalised(self.normalisation, y, plus=plus, rectify=True)
