"""ST-GCN as the baseline of FR-Head has it: a learnt topology that all samples share.

Yan, Xiong and Lin, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action
Recognition", AAAI 2018. Three things differ from the paper, as they do in the implementation by
FR-Head's authors, whose numbers these are: the three topologies are free parameters that start
from the identity, so that the links between the joints are not used; their columns are scaled to
unit length at every step; and the convolution over frames sees 5 of them instead of 9.

Columns of a topology are targets: out[w] = sum_v x[v] A[v, w].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from frhead_core.models.channels_first import normalised
from frhead_core.models.shared_topology import SubsetConvolution, TemporalConvolution
from frhead_core.models.ten_blocks import TenBlocks, residual_path

FRAMES_SEEN = 5
_SMALL = 1e-4  # keeps columns of zeros finite


class GraphConvolution(nn.Module):
    """Joints mixed by three learnt topologies, the same for every sample and channel.

    Args:
        in_channels: Channels ci of the input.
        out_channels: Channels co of the output.
        subsets: Number of topologies.
        joints: Joints V.
    """

    def __init__(self, in_channels: int, out_channels: int, subsets: int, joints: int) -> None:
        super().__init__()
        self.adjacency = nn.Parameter(torch.eye(joints).repeat(subsets, 1, 1))
        self.convolution = SubsetConvolution(in_channels, out_channels, subsets)
        self.normalisation = nn.BatchNorm1d(out_channels)
        self.residual = residual_path(in_channels, out_channels)
        # Nearly no contribution at the start: each block begins as its residual path.
        nn.init.constant_(self.normalisation.weight, 1e-6)

    def topology(self) -> Tensor:
        """The topologies (3, V sources, V targets), every column of length 1."""
        length: Tensor = torch.linalg.vector_norm(self.adjacency, dim=1, keepdim=True)
        return self.adjacency / (length + _SMALL)

    def forward(self, x: Tensor) -> Tensor:
        """Features (ci, n, V, T) to (co, n, V, T)."""
        y = self.convolution(x, self.topology().unsqueeze(0))
        return normalised(self.normalisation, y, plus=self.residual(x), rectify=True)


class STGCN(TenBlocks):
    """The ST-GCN backbone. Of ``adjacency`` only the shape is used."""

    def graph_convolution(
        self, in_channels: int, out_channels: int, adjacency: Tensor
    ) -> GraphConvolution:
        subsets, joints, _ = adjacency.shape
        return GraphConvolution(in_channels, out_channels, subsets, joints)

    def temporal_convolution(self, channels: int, stride: int) -> TemporalConvolution:
        return TemporalConvolution(channels, stride, FRAMES_SEEN)
