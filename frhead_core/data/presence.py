"""Where bodies are and where they are absent."""

from __future__ import annotations

import numpy as np


def present(sequence: np.ndarray) -> np.ndarray:
    """In which frames of (..., V, C) a body has any value other than zero: (...) bool."""
    there: np.ndarray = sequence[..., 0, 0] != 0  # nearly always tells it
    unclear = ~there
    if unclear.any():
        frames = sequence[unclear]
        there[unclear] = frames.reshape(len(frames), -1).any(axis=1)
    return there
