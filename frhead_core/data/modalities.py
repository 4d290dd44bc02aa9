"""The four modalities: joints, bones, and the motion of either (Shi et al., CVPR 2019, 2s-AGCN)."""

from __future__ import annotations

import numpy as np

from frhead_core.config import Modality
from frhead_core.skeletons import Skeleton


def apply_modality(coordinates: np.ndarray, modality: Modality, skeleton: Skeleton) -> np.ndarray:
    """A modality of joint coordinates, (..., C, T, V, M); the input is not changed."""
    if modality.startswith("bone"):
        coordinates = bone(coordinates, skeleton)
    if modality.endswith("motion"):
        coordinates = motion(coordinates)
    return coordinates


def bone(coordinates: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Every joint minus its partner along the bone, (..., C, T, V, M); zero at the root."""
    partner = [partner for _, partner in skeleton.bone_pairs]
    bones: np.ndarray = coordinates - coordinates[..., partner, :]
    return bones


def motion(coordinates: np.ndarray) -> np.ndarray:
    """The next frame minus this one, (..., C, T, V, M); zero in the last frame."""
    result = np.zeros_like(coordinates)
    now, following = coordinates[..., :-1, :, :], coordinates[..., 1:, :, :]
    np.subtract(following, now, out=result[..., :-1, :, :])
    return result
