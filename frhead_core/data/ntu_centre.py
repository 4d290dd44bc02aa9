"""Where an NTU RGB+D sequence begins in space."""

from __future__ import annotations

import numpy as np

from frhead_core.data.presence import present
from frhead_core.data.ragged import RaggedBatch


def centre(batch: RaggedBatch, joint: int) -> np.ndarray:
    """Move sequences so that a joint of the first actor starts at the origin.

    The origin is that joint, the middle of the spine, in the first frame that has the first actor.
    Frames of two actors in which one is absent stay zero; a lone body's are moved like all others,
    as in the reference. Nothing is scaled or turned.

    Returns:
        The rows of the batch, (R, V, C), of the same dtype.
    """
    there = present(batch.rows)
    centred = batch.moved(batch.rows[first_rows(batch, there), joint])
    centred[~there & np.repeat(batch.bodies > 1, batch.lengths)] = 0
    return centred


def first_rows(batch: RaggedBatch, there: np.ndarray) -> np.ndarray:
    """(N,) the first row of each sequence that has its first actor."""
    first = batch.starts.copy()
    for number in np.flatnonzero(~there[first]):
        begin = first[number]
        first[number] += np.argmax(there[begin : begin + batch.frames[number]])
    return first
