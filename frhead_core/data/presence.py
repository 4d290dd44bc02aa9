"""Where bodies are and where they are absent."""

from __future__ import annotations

import numpy as np


def present(sequence: np.ndarray) -> np.ndarray:
    """In which frames of (..., V, C) a body has any value other than zero: (...) bool."""
    there: np.ndarray = sequence[..., 0, 0] != 0  # nearly always tells it
    unclear = ~there
    if unclear.any():
        there[unclear] = sequence[unclear].any(axis=(1, 2))
    return there
