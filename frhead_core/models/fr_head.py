"""FR-Head: features refined by prototypes of true positives and by what they are confused with.

Zhou, Liu and Wang, "Learning Discriminative Representations for Skeleton Based Action
Recognition", CVPR 2023, sections 3.2 to 3.4. Four levels of a backbone are each refined in a
spatial and a temporal branch; each branch adds a contrastive loss that pulls a feature to the
prototype of its class and calibrates it with the false negatives (FN) and false positives (FP)
of the batch. The head exists in training only and never changes the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frhead_core.models.channels_first import float_mean

HIDDEN_SIZE = 256
LEVELS = ("low", "mid", "high", "final")
_SMALL = 1e-12  # keeps means of empty sets and directions of zero vectors finite
_OCCURS = 1e-8  # a count above it means that the set is not empty


@dataclass(frozen=True)
class ContrastSettings:
    """The constants of the contrastive loss.

    ``version``: V0, V1, V2 or one of the ablations. ``prediction_threshold``: the probability
    above which a true positive updates its prototype. ``use_probability_map``: calibrate
    uncertain samples more. ``alpha``, ``temperature``, ``momentum``: as in the paper.
    """

    version: str = "V0"
    prediction_threshold: float = 0.0
    use_probability_map: bool = True
    alpha: float = 0.125
    temperature: float = 0.125
    momentum: float = 0.9


class Outcome(NamedTuple):
    """What became of each sample for each class, as masks (N, K) of 0 and 1."""

    true_positive: Tensor
    false_negative: Tensor
    false_positive: Tensor


def outcomes(probabilities: Tensor, labels: Tensor, threshold: float) -> Outcome:
    """Sort samples into true positives, false negatives and false positives of each class.

    Only true positives have to be above the ``threshold``; one that is not becomes neither a
    false negative nor a false positive.

    Args:
        probabilities: (N, K).
        labels: (N,) int64.
        threshold: Probability that a true positive must exceed.
    """
    K = probabilities.shape[1]
    truth = F.one_hot(labels, K).to(probabilities.dtype)
    predicted = F.one_hot(probabilities.argmax(1), K).to(probabilities.dtype)
    right = truth * predicted
    confident = (probabilities > threshold).to(probabilities.dtype)
    return Outcome(right * confident, truth - right, predicted - right)


def direction(x: Tensor) -> Tensor:
    """Rows of ``x`` divided by their length; a zero row stays zero."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / (length + _SMALL)


def class_sums(features: Tensor, outcome: Outcome) -> Tensor:
    """Sum of the features of each class's members, and behind it how many members there are.

    Args:
        features: (N, D).
        outcome: Masks (N, K) of the true positives, false negatives and false positives.

    Returns:
        (3, K, D + 1), with gradient.
    """
    members = torch.stack(outcome).transpose(1, 2)  # (3, K, N)
    counted = torch.cat((features, features.new_ones(len(features), 1)), 1)
    return members @ counted


def same(x: Tensor) -> Tensor:
    """What one process makes of its sums to get those of the whole batch."""
    return x


class PrototypeContrast(nn.Module):
    """The contrastive loss of one branch, with the memory of its class prototypes.

    ``total``: makes the sums over a whole batch from those over the samples given, with gradient,
    where several processes share the batch.

    Args:
        classes: Classes K.
        channels: Length D of the features.
        settings: Constants of the loss.
    """

    prototypes: Tensor
    total: Callable[[Tensor], Tensor]

    def __init__(self, classes: int, channels: int, settings: ContrastSettings) -> None:
        super().__init__()
        self.settings = settings
        self.total = same
        # Learnt by averaging, not by gradient, but state all the same: saved and moved with the
        # model. A class that never had a true positive keeps its random start.
        self.register_buffer("prototypes", torch.randn(classes, channels))

    def forward(self, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; updates the prototypes first when in training.

        Args:
            features: (N, D), with gradient.
            logits: (N, K); no gradient flows back into them.
            labels: (N,) int64.

        Returns:
            Scalar.
        """
        probabilities = logits.detach().to(features.dtype).softmax(1)
        outcome = outcomes(probabilities, labels, self.settings.prediction_threshold)
        sums = self.total(class_sums(features, outcome))
        prototypes = self._updated_prototypes(sums[0])
        fn_score, fp_score = self.scores(features, probabilities, labels, outcome, prototypes, sums)
        loss = F.cross_entropy(fn_score, labels, reduction="none")
        loss = loss + F.cross_entropy(fp_score, labels, reduction="none")
        if self.settings.version == "V2":
            loss = loss * (1 - probabilities.gather(1, labels[:, None])[:, 0])
        return loss.mean()

    def _updated_prototypes(self, true_positives: Tensor) -> Tensor:
        """Prototypes (K, D) after this batch, with gradient through its share in them.

        The moving average of equation 5: what is stored is detached, what is returned is not.

        Args:
            true_positives: Sums and counts (K, D + 1).
        """
        total, count = _sum_and_count(true_positives)
        mean = total / (count + _SMALL)[:, None]
        momentum = torch.full_like(count, self.settings.momentum)
        keep = torch.where(count > _OCCURS, momentum, torch.ones_like(count))[:, None]
        updated = keep * self.prototypes.detach() + (1 - keep) * mean
        if self.training:
            self.prototypes.copy_(updated.detach())
        return updated

    def scores(
        self,
        features: Tensor,
        probabilities: Tensor,
        labels: Tensor,
        outcome: Outcome,
        prototypes: Tensor,
        sums: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Calibrated similarities to the prototypes, divided by the temperature.

        Args:
            features: (N, D).
            probabilities: (N, K).
            labels: (N,) int64.
            outcome: Masks (N, K).
            prototypes: (K, D).
            sums: What :func:`class_sums` gives for the whole batch, (3, K, D + 1).

        Returns:
            (N, K) for the false negatives and (N, K) for the false positives, equations 8 to 12.
        """
        feature, prototype = direction(features), direction(prototypes)
        similarity = feature @ prototype.T
        fn_center, fn_occurs = _center(sums[1])
        fp_center, fp_occurs = _center(sums[2])
        if self.settings.version == "V2":
            to_fn = (prototype * fn_center).sum(1)
            to_fp = (prototype * fp_center).sum(1)
            weight = torch.ones_like(similarity)
        else:
            to_fn, to_fp = feature @ fn_center.T, feature @ fp_center.T
            weight = self._calibration_weight(probabilities, labels, outcome.true_positive)
        fn_term = (to_fn - 1) * weight * fn_occurs
        fp_term = (-to_fp - 1) * weight * fp_occurs
        if self.settings.version in ("NO FN", "NO FN & FP"):
            fn_term = torch.zeros_like(similarity)
        if self.settings.version in ("NO FP", "NO FN & FP"):
            fp_term = torch.zeros_like(similarity)
        temperature = self.settings.temperature
        return (similarity + fn_term) / temperature, (similarity + fp_term) / temperature

    def _calibration_weight(
        self, probabilities: Tensor, labels: Tensor, true_positive: Tensor
    ) -> Tensor:
        """How strongly a sample is calibrated: in the column of its label only, (N, K)."""
        truth = F.one_hot(labels, probabilities.shape[1]).to(probabilities.dtype)
        weight = self.settings.alpha * truth
        if self.settings.use_probability_map:
            weight = weight * (1 - probabilities)
        return weight if self.settings.version == "V0" else weight * true_positive


def _sum_and_count(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Sums (K, D) and counts (K,) of (K, D + 1); the counts are constants."""
    return sums[:, :-1], sums[:, -1].detach()


def _center(sums: Tensor) -> tuple[Tensor, Tensor]:
    """Direction (K, D) of the mean feature of each class's members, and whether there are any."""
    total, count = _sum_and_count(sums)
    mean = total / count.clamp(min=_SMALL)[:, None]
    return direction(mean), (count > _OCCURS).to(sums.dtype)


class Branch(nn.Module):
    """One branch of one level: squeeze the channels, flatten, project, contrast.

    Args:
        channels: Channels of the level.
        positions: Joints V (spatial branch) or frames T (temporal branch).
        classes: Classes K.
        settings: Constants of the loss.
    """

    def __init__(
        self, channels: int, positions: int, classes: int, settings: ContrastSettings
    ) -> None:
        super().__init__()
        squeezed = HIDDEN_SIZE // positions
        self.squeeze = nn.Conv1d(channels, squeezed, 1)
        self.normalisation = nn.BatchNorm1d(squeezed)
        self.projection = nn.Linear(squeezed * positions, HIDDEN_SIZE)
        self.contrast = PrototypeContrast(classes, HIDDEN_SIZE, settings)

    def forward(self, x: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of the level's features (N, C, positions)."""
        x = F.relu(self.normalisation(self.squeeze(x)))  # (N, q, positions)
        loss: Tensor = self.contrast(self.projection(x.flatten(1)), logits, labels)
        return loss


class HeadLoss(NamedTuple):
    """Weighted sum over the levels, and each level's unweighted (spatial, temporal) terms."""

    total: Tensor
    terms: tuple[tuple[Tensor, Tensor], ...]


class FRHead(nn.Module):
    """The head over four levels, each with a spatial and a temporal branch (figure 2).

    Args:
        level_channels: Channels of the low, mid, high and final level.
        joints: Joints V.
        frames: Frames T of a sample; a multiple of 4.
        classes: Outputs K of the classifier.
        level_weights: Weight of each level's loss.
        settings: Constants of the contrastive loss.
    """

    def __init__(
        self,
        level_channels: Sequence[int],
        joints: int,
        frames: int,
        classes: int,
        level_weights: Sequence[float],
        settings: ContrastSettings,
    ) -> None:
        super().__init__()
        self.level_weights = tuple(level_weights)
        level_frames = (frames, frames // 2, frames // 4, frames // 4)
        self.spatial = nn.ModuleList(
            Branch(channels, joints, classes, settings) for channels in level_channels
        )
        self.temporal = nn.ModuleList(
            Branch(channels, length, classes, settings)
            for channels, length in zip(level_channels, level_frames, strict=True)
        )

    def forward(self, levels: Sequence[Tensor], logits: Tensor, labels: Tensor) -> HeadLoss:
        """Loss of a batch, always in float32 (or float64).

        Args:
            levels: Four feature maps (N, M, C, V, T).
            logits: (N, K).
            labels: (N,) int64.
        """
        terms = []
        with torch.autocast(logits.device.type, enabled=False):
            for features, spatial, temporal in zip(
                levels, self.spatial, self.temporal, strict=True
            ):
                joints = float_mean(features, (1, 4))  # (N, C, V)
                frames = float_mean(features, (1, 3))  # (N, C, T)
                terms.append((spatial(joints, logits, labels), temporal(frames, logits, labels)))
        weighted = [
            weight * (spatial_loss + temporal_loss)
            for weight, (spatial_loss, temporal_loss) in zip(self.level_weights, terms, strict=True)
        ]
        return HeadLoss(torch.stack(weighted).sum(), tuple(terms))
