"""NW-UCLA's transforms: turn, scale to the unit cube, sample frames. All in float64.

The preparation of the data has centred the sequences already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frhead_core.config import NWUCLALoader
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.rotations import about_x, about_y

_COPIES = 100  # training draws frames from this many copies of the sequence, without replacement


@dataclass(frozen=True)
class Draws:
    """What varies between the samples of a batch.

    Attributes:
        degrees: (N, 2) float64, turns about x and about y.
        scale: (N,) float64.
        frames: (N, T) int64, the frames to take, ascending.
    """

    degrees: np.ndarray
    scale: np.ndarray
    frames: np.ndarray


class NWUCLATransform:
    """Makes model inputs of centred NW-UCLA sequences.

    Args:
        settings: The recipe's loader section.
    """

    def __init__(self, settings: NWUCLALoader) -> None:
        self._settings = settings

    def __call__(
        self, batch: RaggedBatch, generators: Sequence[np.random.Generator] | None
    ) -> np.ndarray:
        """Transform a batch: as in training with one generator a sample, else as in evaluation.

        Returns:
            (N, C, T, V, 1) float64.
        """
        if generators is None:
            draws = still_draws(batch.frames, self._settings.window)
        else:
            draws = training_draws(batch.frames, self._settings, generators)
        return transform(batch, draws)


def training_draws(
    frames: np.ndarray, settings: NWUCLALoader, generators: Sequence[np.random.Generator]
) -> Draws:
    """Random draws for sequences of ``frames`` (N,) frames, one generator each."""
    window, limit = settings.window, settings.rotation_degrees
    degrees = np.empty((len(frames), 2))
    scale = np.empty(len(frames))
    chosen = np.empty((len(frames), window), dtype=np.int64)
    for sample, generator in enumerate(generators):
        degrees[sample] = generator.integers(-limit, limit, size=2, endpoint=True)
        scale[sample] = generator.uniform(*settings.scale)
        chosen[sample] = generator.choice(
            _COPIES * frames[sample], window, replace=False, shuffle=False
        )
    chosen = np.sort(chosen % frames[:, np.newaxis], axis=1)
    return Draws(degrees, scale, chosen)


def still_draws(frames: np.ndarray, window: int) -> Draws:
    """No turn, no scaling, frames spread evenly: for evaluation."""
    count = len(frames)
    return Draws(np.zeros((count, 2)), np.ones(count), even_frames(frames, window))


def even_frames(frames: np.ndarray, window: int) -> np.ndarray:
    """``window`` frames from first to last, cut down to integers: (N, window) int64."""
    last = frames[:, np.newaxis] - 1
    if window == 1:
        return np.zeros_like(last)
    places = np.arange(window) * (last / (window - 1))
    places[:, -1:] = last
    return places.astype(np.int64)


def transform(batch: RaggedBatch, draws: Draws) -> np.ndarray:
    """Turn, fit into the unit cube and sample: (N, C, T, V, 1) float64.

    The cube is fitted to all frames of a sequence, also those that are not taken.
    """
    turned = turn(batch, draws)
    low, high = extent(turned, batch.starts)
    taken = turned[batch.starts[:, np.newaxis] + draws.frames]  # N T V C
    axes = (slice(None), np.newaxis, np.newaxis)
    fitted = fit_to_unit_cube(taken, low[axes], high[axes])
    return fitted.transpose(0, 3, 1, 2)[..., np.newaxis]


def turn(batch: RaggedBatch, draws: Draws) -> np.ndarray:
    """All rows times Ry Rx (s I) of their sequence: (R, V, C)."""
    x, y = np.radians(draws.degrees).T
    matrices = about_y(y) @ about_x(x) * draws.scale[:, np.newaxis, np.newaxis]
    turned: np.ndarray = batch.rows @ np.repeat(matrices, batch.lengths, axis=0)
    return turned


def extent(rows: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value on each axis over all frames and joints: two (N, C)."""
    low = np.minimum.reduceat(rows, starts, axis=0).min(axis=1)
    high = np.maximum.reduceat(rows, starts, axis=0).max(axis=1)
    return low, high


def fit_to_unit_cube(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Values mapped from low..high to -1..1; an axis without extent becomes 0."""
    size = high - low
    flat = size == 0
    fitted: np.ndarray = 2 * (values - low) / np.where(flat, 1, size) - 1
    return np.where(flat, 0, fitted)
