"""Where bodies are and where they are absent."""

from __future__ import annotations

import numpy as np


def present(sequence: np.ndarray) -> np.ndarray:
    """In which frames of (M, T, V, C) each body has any value other than zero: (M, T) bool."""
    persons, frames = sequence.shape[:2]
    return np.asarray(sequence.reshape(persons, frames, -1).any(axis=2))
