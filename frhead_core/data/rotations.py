"""Rotations about the axes, as both datasets' transforms turn bodies."""

from __future__ import annotations

import numpy as np


def about_x(angles: np.ndarray) -> np.ndarray:
    """Matrices [[1,0,0],[0,c,s],[0,-s,c]] of angles (N,) in radians: (N, 3, 3)."""
    return _plane_rotation(angles, 1, 2)


def about_y(angles: np.ndarray) -> np.ndarray:
    """Matrices [[c,0,-s],[0,1,0],[s,0,c]] of angles (N,) in radians: (N, 3, 3)."""
    return _plane_rotation(angles, 2, 0)


def about_z(angles: np.ndarray) -> np.ndarray:
    """Matrices [[c,s,0],[-s,c,0],[0,0,1]] of angles (N,) in radians: (N, 3, 3)."""
    return _plane_rotation(angles, 0, 1)


def _plane_rotation(angles: np.ndarray, first: int, second: int) -> np.ndarray:
    cosine, sine = np.cos(angles), np.sin(angles)
    matrices = np.zeros((len(angles), 3, 3), dtype=angles.dtype)
    matrices[:] = np.eye(3)
    matrices[:, first, first] = matrices[:, second, second] = cosine
    matrices[:, first, second] = sine
    matrices[:, second, first] = -sine
    return matrices
