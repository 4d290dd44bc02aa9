"""CTR-GCN: channel-wise topology refinement graph convolution.

Chen et al., "Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
Recognition", ICCV 2021. Inside the network, feature maps are (N*M, C, V, T): with time innermost
the product with the refined topologies of all three subsets is one batched matrix product without
a copy.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frhead_core.models.backbone import BackboneOutput, InputNormalisation, at_least_float32

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
        self.relation = nn.Linear(in_channels, SUBSETS * 2 * self.relation_channels)
        self.refinement_weight = nn.Parameter(
            torch.empty(SUBSETS, self.relation_channels, out_channels)
        )
        self.refinement_bias = nn.Parameter(torch.zeros(SUBSETS, out_channels))
        # Output channel c * 3 + subset, so that (subset, joint) are neighbours in memory.
        self.features = nn.Conv2d(in_channels, out_channels * SUBSETS, 1)
        self.normalisation = nn.BatchNorm2d(out_channels)
        self.residual: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.residual = convolution_with_normalisation(in_channels, out_channels)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        nn.init.normal_(self.relation.weight, 0.0, math.sqrt(2 / self.relation_channels))
        nn.init.zeros_(self.relation.bias)
        deviation = math.sqrt(2 / self.out_channels)
        nn.init.normal_(self.refinement_weight, 0.0, deviation)
        nn.init.normal_(self.features.weight, 0.0, deviation)
        nn.init.zeros_(_bias(self.features))
        # Nearly no contribution at the start: each block begins as its residual path.
        nn.init.constant_(self.normalisation.weight, 1e-6)

    def topology(self, x: Tensor) -> Tensor:
        """The refined topology of each sample and channel.

        Args:
            x: Features (n, ci, V, T).

        Returns:
            (n, co, V targets, 3*V sources), the subsets one after the other.
        """
        n, _, V, _ = x.shape
        # The mean over time commutes with a 1x1 convolution and makes it T times cheaper.
        relation = self.relation(x.mean(3).transpose(1, 2))  # (n, V, 3*2*r)
        relation = relation.view(n, V, SUBSETS, 2, self.relation_channels)
        target, source = relation.unbind(3)  # each (n, V, 3, r)
        difference = torch.tanh(target.unsqueeze(2) - source.unsqueeze(1))  # (n, u, v, 3, r)
        difference = difference.permute(3, 0, 1, 2, 4).reshape(SUBSETS, n * V * V, -1)
        scaled_bias = (self.alpha * self.refinement_bias).unsqueeze(1)  # (3, 1, co)
        refinement = torch.baddbmm(scaled_bias, difference, self.alpha * self.refinement_weight)
        refinement = refinement.view(SUBSETS, n, V, V, self.out_channels)  # (3, n, u, v, co)
        refined = refinement.permute(1, 4, 2, 0, 3) + self.adjacency.permute(1, 0, 2)
        return refined.reshape(n, self.out_channels, V, SUBSETS * V)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, ci, V, T) to (n, co, V, T)."""
        n, _, V, T = x.shape
        features = self.features(x).view(n, self.out_channels, SUBSETS * V, T)
        y = torch.matmul(self.topology(x).to(features.dtype), features)  # (n, co, V, T)
        return F.relu(self.normalisation(y) + self.residual(x))


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
        self.entry = nn.Conv2d(channels, 3 * b, 1)
        self.entry_normalisation = nn.BatchNorm2d(3 * b)
        self.dilated = nn.ModuleList(
            nn.Conv2d(b, b, (1, 5), (1, stride), (0, 2 * d), (1, d)) for d in (1, 2)
        )
        self.plain = nn.Conv2d(channels, b, 1, (1, stride))
        # The last operation of all four branches is batch normalisation: one for all.
        self.normalisation = nn.BatchNorm2d(channels)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for convolution in (self.entry, self.plain, *self.dilated):
            assert isinstance(convolution, nn.Conv2d)
            fan_out = self.branch_channels * convolution.kernel_size[1]
            nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / fan_out))
            nn.init.zeros_(_bias(convolution))
        nn.init.normal_(self.entry_normalisation.weight, 1.0, 0.02)
        nn.init.normal_(self.normalisation.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, c, V, T) to (n, c, V, ceil(T / stride))."""
        b = self.branch_channels
        entered = F.relu(self.entry_normalisation(self.entry(x)))
        first, second, third = entered.tensor_split((b, 2 * b), 1)
        branches = (
            self.dilated[0](first),
            self.dilated[1](second),
            F.max_pool2d(third, (1, 3), (1, self.stride), (0, 1)),
            self.plain(x),
        )
        y: Tensor = self.normalisation(torch.cat(branches, 1))
        return y


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
            self.residual = convolution_with_normalisation(in_channels, out_channels, stride)
        elif residual:
            self.residual = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, ci, V, T) to (n, co, V, ceil(T / stride))."""
        y = self.temporal(self.graph(x))
        if self.residual is not None:
            y = y + self.residual(x)
        return F.relu(y)


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
        x = self.input_normalisation(x)  # (N*M, C, V, T)
        levels = []
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in (1, 5, 8, 10):
                levels.append(x.view(N, M, *x.shape[1:]))
        pooled = at_least_float32(x).mean((2, 3)).view(N, M, -1).mean(1)  # (N, 4B)
        with torch.autocast(x.device.type, enabled=False):
            logits = self.classifier(self.dropout(pooled))
        return BackboneOutput(logits, pooled, tuple(levels))


def relation_channels(in_channels: int) -> int:
    """Channels r in which the relation of two joints is modelled."""
    if in_channels in (3, 9):
        return FIRST_BLOCK_RELATION_CHANNELS
    return in_channels // RELATION_REDUCTION


def convolution_with_normalisation(
    in_channels: int, out_channels: int, stride: int = 1
) -> nn.Sequential:
    """A 1x1 convolution that steps over frames, with batch normalisation."""
    convolution = nn.Conv2d(in_channels, out_channels, 1, (1, stride))
    nn.init.normal_(convolution.weight, 0.0, math.sqrt(2 / out_channels))
    nn.init.zeros_(_bias(convolution))
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
