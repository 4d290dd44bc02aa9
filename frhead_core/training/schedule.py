"""The learning rate over the epochs."""

from __future__ import annotations

from frhead_core.config import TrainingSettings


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Learning rate of a 0-based epoch: linear warm-up, then steps down at the milestones."""
    if epoch < settings.warm_up_epochs:
        return settings.learning_rate * (epoch + 1) / settings.warm_up_epochs
    steps = sum(milestone <= epoch for milestone in settings.milestones)
    return settings.learning_rate * settings.decay**steps
