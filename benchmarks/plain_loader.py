"""NW-UCLA's loader written plainly, one sample at a time, as the thing to be faster than.

The transforms of the published runs in their order: turn, scale to the unit cube, draw frames, take
bones and motions. Letters: C channels, T frames, V joints, M bodies.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
from torch.utils.data import Dataset

WINDOW = 52
COPIES = 100  # of every frame number, from which training draws without replacement


class PlainNWUCLA(Dataset[tuple[np.ndarray, int]]):
    """Samples (C, T, V, M) float32 with their labels.

    Args:
        sequences: One array (T, V, C) for each recording.
        labels: Class of each.
        bone_pairs: (joint, partner) of every joint.
        bones: Whether to give bones instead of joints.
        motion: Whether to give differences between frames.
        training: Whether to repeat and augment.
        repeat: How many times an epoch goes over the recordings in training.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        labels: Sequence[int],
        bone_pairs: Sequence[tuple[int, int]],
        bones: bool,
        motion: bool,
        training: bool,
        repeat: int,
    ) -> None:
        self.sequences = sequences
        self.labels = labels
        self.bone_pairs = bone_pairs
        self.bones = bones
        self.motion = motion
        self.training = training
        self.repeat = repeat if training else 1

    def __len__(self) -> int:
        return len(self.sequences) * self.repeat

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        index %= len(self.sequences)
        value = self.sequences[index]
        value = value - value[0, 1]
        value = self.scaled(self.turned(value))
        data = value[self.frames(len(value))].transpose(2, 0, 1)  # (C, T, V)
        data = data[:, :, :, np.newaxis]
        if self.bones:
            data = self.bones_of(data)
        if self.motion:
            data[:, :-1] = data[:, 1:] - data[:, :-1]
            data[:, -1] = 0
        return data.astype(np.float32), self.labels[index]

    def turned(self, value: np.ndarray) -> np.ndarray:
        x = math.radians(random.randint(-60, 60)) if self.training else 0.0
        y = math.radians(random.randint(-60, 60)) if self.training else 0.0
        size = random.uniform(0.5, 1.5) if self.training else 1.0
        about_x = np.array(
            [[1, 0, 0], [0, math.cos(x), math.sin(x)], [0, -math.sin(x), math.cos(x)]]
        )
        about_y = np.array(
            [[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]]
        )
        matrix = about_y @ about_x @ (size * np.eye(3))
        turned: np.ndarray = np.dot(value.reshape(-1, 3), matrix).reshape(value.shape)
        return turned

    def scaled(self, value: np.ndarray) -> np.ndarray:
        flat = value.reshape(-1, 3)
        lowest, highest = flat.min(axis=0), flat.max(axis=0)
        scaled: np.ndarray = 2 * (flat - lowest) / (highest - lowest) - 1
        return scaled.reshape(value.shape)

    def frames(self, length: int) -> list[int]:
        if self.training:
            return sorted(random.sample(list(range(length)) * COPIES, WINDOW))
        return [int(frame) for frame in np.linspace(0, length - 1, WINDOW)]

    def bones_of(self, data: np.ndarray) -> np.ndarray:
        bones = np.zeros_like(data)
        for joint, partner in self.bone_pairs:
            bones[:, :, joint] = data[:, :, joint] - data[:, :, partner]
        return bones
