"""Where an NTU RGB+D sequence begins in space."""

from __future__ import annotations

import numpy as np

from frhead_core.data.presence import present


def centre(sequence: np.ndarray, joint: int) -> np.ndarray:
    """Move (M, T, V, C) so that a joint of the first actor starts at the origin.

    The origin is that joint, the middle of the spine, in the first frame that has the first actor.
    Frames of two actors in which one is absent stay zero; a lone body's are moved like all others,
    as in the reference. Nothing is scaled or turned.

    Returns:
        (M, T, V, C) of the same dtype.
    """
    there = present(sequence)
    first = int(np.argmax(there[0]))
    origin = sequence[0, first, joint]
    frames = sequence.reshape(*sequence.shape[:2], -1)
    # One long row a frame: NumPy needs five times as long for rows of three numbers.
    centred: np.ndarray = (frames - np.tile(origin, sequence.shape[2])).reshape(sequence.shape)
    if len(sequence) > 1:
        centred[~there] = 0
    return centred
