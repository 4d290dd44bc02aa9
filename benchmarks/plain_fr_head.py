"""FR-Head (version V0) written plainly beside the plain CTR-GCN.

Zhou, Liu and Wang, "Learning Discriminative Representations for Skeleton Based Action Recognition",
CVPR 2023. Parameters bear the names of the published checkpoints. Letters: N samples, C channels,
T frames, V joints, M bodies, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plain_ctrgcn import PlainCTRGCN

HIDDEN = 256
ALPHA = 0.125
TEMPERATURE = 0.125
MOMENTUM = 0.9
EPSILON = 1e-12
PRESENT = 1e-8
LEVEL_WEIGHTS = {"low": 0.1, "mid": 0.2, "high": 0.5, "fin": 1.0}


class PlainContrast(nn.Module):
    """Pulls features to their class's prototype, with more force where classes are confused."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.cl_fc = nn.Linear(features, HIDDEN)
        self.avg_f = torch.randn(HIDDEN, classes)  # no part of the state, as published

    def forward(self, feature: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        z = self.cl_fc(feature)  # (N, 256)
        probability = logits.softmax(dim=1)  # (N, K)
        true = F.one_hot(labels, logits.shape[1]).float()
        predicted = F.one_hot(logits.argmax(dim=1), logits.shape[1]).float()
        hits = true * predicted
        misses, alarms = true - hits, predicted - hits
        prototypes = self.updated(z, hits * (probability > 0))
        weight = ALPHA * (1 - probability) * true
        similarity = unit(z, 1) @ unit(prototypes, 0)  # (N, K)
        missed = (unit(z, 1) @ self.centre(z, misses) - 1) * weight * present(misses)
        alarmed = (-(unit(z, 1) @ self.centre(z, alarms)) - 1) * weight * present(alarms)
        return F.cross_entropy((similarity + missed) / TEMPERATURE, labels) + F.cross_entropy(
            (similarity + alarmed) / TEMPERATURE, labels
        )

    def updated(self, z: Tensor, hits: Tensor) -> Tensor:
        count = hits.sum(dim=0)
        mean = (z.T @ hits) / (count + EPSILON)  # (256, K)
        kept = torch.where(count > PRESENT, MOMENTUM, 1.0)
        prototypes = self.avg_f * kept + mean * (1 - kept)
        self.avg_f = prototypes.detach()
        return prototypes

    @staticmethod
    def centre(z: Tensor, members: Tensor) -> Tensor:
        mean = (z.T @ members) / members.sum(dim=0).clamp(min=EPSILON)
        return unit(mean, 0)  # (256, K)


def unit(x: Tensor, dim: int) -> Tensor:
    length: Tensor = x.norm(dim=dim, keepdim=True)
    return x / (length + EPSILON)


def present(members: Tensor) -> Tensor:
    return (members.sum(dim=0) > PRESENT).float()  # (K,)


class PlainLevel(nn.Module):
    """A spatial and a temporal contrast on one map of the backbone."""

    def __init__(self, channels: int, frames: int, joints: int, classes: int) -> None:
        super().__init__()
        for name, length in (("spatio", joints), ("tempor", frames)):
            width = HIDDEN // length
            squeeze = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU())
            self.add_module(f"{name}_squeeze", squeeze)
            self.add_module(f"{name}_cl_net", PlainContrast(width * length, classes))

    def forward(self, x: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """The level's loss; ``x`` is (N, C, T, V), averaged over bodies."""
        total = torch.zeros(())
        for name, pooled in (("spatio", x.mean(2, keepdim=True)), ("tempor", x.mean(3, True))):
            squeezed = self.get_submodule(f"{name}_squeeze")(pooled).flatten(1)
            total = total + self.get_submodule(f"{name}_cl_net")(squeezed, logits, labels)
        return total


class PlainFRHeadCTRGCN(PlainCTRGCN):
    """CTR-GCN with the head; ``frames`` is the T of its samples."""

    def __init__(
        self, classes: int, adjacency: Tensor, bodies: int, frames: int, channels: int = 64
    ) -> None:
        super().__init__(classes, adjacency, bodies, channels)
        joints = adjacency.shape[-1]
        widths = (channels, 2 * channels, 4 * channels, 4 * channels)
        lengths = (frames, frames // 2, frames // 4, frames // 4)
        for name, width, length in zip(LEVEL_WEIGHTS, widths, lengths, strict=True):
            self.add_module(f"ren_{name}", PlainLevel(width, length, joints, classes))

    def losses(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy and the head's weighted loss of a batch."""
        logits, levels = self.levels(x)
        head = torch.zeros(())
        for (name, weight), level in zip(LEVEL_WEIGHTS.items(), levels, strict=True):
            mean = level.view(len(x), -1, *level.shape[1:]).mean(dim=1)  # (N, C, T, V)
            head = head + weight * self.get_submodule(f"ren_{name}")(mean, logits.detach(), labels)
        return F.cross_entropy(logits, labels), head

    def prototypes(self) -> dict[str, Tensor]:
        """The prototypes, which are no part of the state, by the names of their modules."""
        contrasts = {k: m for k, m in self.named_modules() if isinstance(m, PlainContrast)}
        return {f"{name}.avg_f": module.avg_f for name, module in contrasts.items()}
