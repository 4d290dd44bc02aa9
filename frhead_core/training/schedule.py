"""The learning rate over the epochs."""

from __future__ import annotations

import math

from frhead_core.config import TrainingSettings


def learning_rate(settings: TrainingSettings, epoch: int, share: float, epochs: int) -> float:
    """Learning rate of one batch.

    Args:
        settings: The schedule and its numbers.
        epoch: 0-based.
        share: Of the epoch's batches, those that are done.
        epochs: How many are trained.
    """
    warm_up = settings.warm_up_epochs
    if settings.schedule == "one_cycle":
        done = epoch + share
        if done < warm_up:
            return settings.learning_rate * done / warm_up
        rest = (done - warm_up) / (epochs - warm_up)
        return settings.learning_rate * (1 + math.cos(math.pi * rest)) / 2
    if epoch < warm_up:
        return settings.learning_rate * (epoch + 1) / warm_up
    steps = sum(milestone <= epoch for milestone in settings.milestones)
    return settings.learning_rate * settings.decay**steps
