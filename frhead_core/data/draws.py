"""Random draws that depend on nothing but (seed, epoch, index in the repeated list).

A counter-based generator (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011) is keyed by seed and epoch, and every sample owns a stretch of its counter. So
a sample's draws are the same in whichever process, batch or resumed run they are made.
"""

from __future__ import annotations

import numpy as np

_WORD = 64  # bits
_ORDER = 1 << (3 * _WORD)  # a stretch of the counter that no sample index reaches


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator of one sample in one epoch; ``seed`` and ``epoch`` are below 2**64."""
    return _generator(seed, epoch, index << _WORD)


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order in which an epoch goes over ``count`` samples: (count,) int64."""
    return _generator(seed, epoch, _ORDER).permutation(count)


def _generator(seed: int, epoch: int, counter: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed | epoch << _WORD, counter=counter))
