"""One-shot recognition: a sample is of the class whose only known recording it is nearest to.

Liu, Shahroudy, Perez, Wang, Duan and Kot, "NTU RGB+D 120", TPAMI 2020, section 4.4. The features
are those that a model has learnt on other classes.
"""

from __future__ import annotations

import numpy as np


def anchor_similarities(features: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Cosine of the angle between the features of each sample and of each anchor.

    Features without length are at right angles to everything.

    Args:
        features: (n, C), of the samples.
        anchors: (K, C), of the one known recording of each class.

    Returns:
        (n, K) float32, from -1 to 1. Computed in float64.
    """
    similarities: np.ndarray = _directions(features) @ _directions(anchors).T
    return similarities.astype(np.float32)


def _directions(features: np.ndarray) -> np.ndarray:
    """(n, C) float64 of length 1, or 0 where there is no direction."""
    features = features.astype(np.float64)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    directions = np.zeros_like(features)
    np.divide(features, length, out=directions, where=length > 0)
    return directions
