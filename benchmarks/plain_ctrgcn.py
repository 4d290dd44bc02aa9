"""CTR-GCN written plainly, as the thing to be faster than: channels first, a loop over subsets.

Chen et al., "Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
Recognition", ICCV 2021, in the arrangement that FR-Head uses. Parameters bear the names of the
published checkpoints. Letters: N samples, C channels, T frames, V joints, M bodies, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PointwiseConvolution(nn.Sequential):
    """1x1 convolution and batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs))


class TemporalConvolution(nn.Module):
    """(kernel, 1) convolution over frames and batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            (kernel, 1),
            stride=(stride, 1),
            padding=((kernel - 1) * dilation // 2, 0),
            dilation=(dilation, 1),
        )
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.conv(x))
        return y


class TopologyRefinement(nn.Module):
    """One subset: every channel gets its own graph, refined from the shared one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        reduced = 8 if inputs in (3, 9) else inputs // 8
        self.conv1 = nn.Conv2d(inputs, reduced, 1)
        self.conv2 = nn.Conv2d(inputs, reduced, 1)
        self.conv3 = nn.Conv2d(inputs, outputs, 1)
        self.conv4 = nn.Conv2d(reduced, outputs, 1)

    def forward(self, x: Tensor, adjacency: Tensor, alpha: Tensor) -> Tensor:
        target = self.conv1(x).mean(dim=2)  # (N, R, V)
        source = self.conv2(x).mean(dim=2)  # (N, R, V)
        difference = torch.tanh(target.unsqueeze(-1) - source.unsqueeze(-2))  # (N, R, V, V)
        graph = alpha * self.conv4(difference) + adjacency  # (N, C, V, V)
        return torch.einsum("ncuv,nctv->nctu", graph, self.conv3(x))


class GraphConvolution(nn.Module):
    """The sum over the three subsets, with a residual."""

    def __init__(self, inputs: int, outputs: int, adjacency: Tensor) -> None:
        super().__init__()
        self.PA = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.convs = nn.ModuleList(TopologyRefinement(inputs, outputs) for _ in adjacency)
        self.bn = nn.BatchNorm2d(outputs)
        self.down: nn.Module = (
            nn.Identity() if inputs == outputs else PointwiseConvolution(inputs, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros(())
        for convolution, adjacency in zip(self.convs, self.PA, strict=True):
            total = convolution(x, adjacency, self.alpha) + total
        return torch.relu(self.bn(total) + self.down(x))


class MultiScaleTemporalConvolution(nn.Module):
    """Four branches of a quarter of the channels each, concatenated."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        width = channels // 4
        dilated = [
            nn.Sequential(
                *PointwiseConvolution(channels, width),
                nn.ReLU(),
                TemporalConvolution(width, width, 5, stride, dilation),
            )
            for dilation in (1, 2)
        ]
        pooled = nn.Sequential(
            *PointwiseConvolution(channels, width),
            nn.ReLU(),
            nn.MaxPool2d((3, 1), stride=(stride, 1), padding=(1, 0)),
            nn.BatchNorm2d(width),
        )
        plain = nn.Sequential(
            nn.Conv2d(channels, width, 1, stride=(stride, 1)), nn.BatchNorm2d(width)
        )
        self.branches = nn.ModuleList([*dilated, pooled, plain])

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Block(nn.Module):
    """Graph convolution over joints, then convolutions over frames, with a residual."""

    def __init__(
        self, inputs: int, outputs: int, adjacency: Tensor, stride: int = 1, first: bool = False
    ) -> None:
        super().__init__()
        self.gcn1 = GraphConvolution(inputs, outputs, adjacency)
        self.tcn1 = MultiScaleTemporalConvolution(outputs, stride)
        self.first = first
        self.residual: nn.Module = nn.Identity()
        if not first and (inputs != outputs or stride != 1):
            self.residual = TemporalConvolution(inputs, outputs, 1, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tcn1(self.gcn1(x))
        return torch.relu(y) if self.first else torch.relu(y + self.residual(x))


class PlainCTRGCN(nn.Module):
    """The ten-block network, from (N, C, T, V, M) to logits (N, K)."""

    def __init__(self, classes: int, adjacency: Tensor, bodies: int, channels: int = 64) -> None:
        super().__init__()
        joints = adjacency.shape[-1]
        self.data_bn = nn.BatchNorm1d(bodies * joints * 3)
        widths = [channels] * 4 + [2 * channels] * 3 + [4 * channels] * 3
        inputs = 3
        for number, outputs in enumerate(widths, start=1):
            stride = 2 if number in (5, 8) else 1
            block = Block(inputs, outputs, adjacency, stride, first=number == 1)
            self.add_module(f"l{number}", block)
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.levels(x)[0]

    def levels(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (N, K) and the maps (N*M, C, T, V) after blocks 1, 5, 8 and 10."""
        N, C, T, V, M = x.shape
        x = x.permute(0, 4, 3, 1, 2).reshape(N, M * V * C, T)
        x = self.data_bn(x).view(N, M, V, C, T)
        x = x.permute(0, 1, 3, 4, 2).reshape(N * M, C, T, V)
        levels = []
        for number in range(1, 11):
            x = self.get_submodule(f"l{number}")(x)
            if number in (1, 5, 8, 10):
                levels.append(x.clone())
        logits: Tensor = self.fc(x.view(N, M, x.shape[1], -1).mean(dim=3).mean(dim=1))
        return logits, levels
