"""Animated skeletons of the most confident errors, as small numbers for the report's player."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frhead_core.data.store import SequenceStore
from frhead_core.evaluation import metrics
from frhead_core.evaluation.scores import Scores
from frhead_core.skeletons import Skeleton

_PLAYERS = 6
_MOST_FRAMES = 60
_HALF_BOX = 500


@dataclass(frozen=True)
class ConfidentError:
    """A misread sample; the probabilities are softmax of its logits."""

    name: str
    actual: str
    predicted: str
    actual_probability: float
    predicted_probability: float


def most_confident_errors(scores: Scores, count: int) -> list[ConfidentError]:
    """Misread samples by falling probability of the wrong class; equals by name."""
    chances = metrics.probabilities(scores.logits)
    predictions = metrics.predicted_classes(scores.logits)
    wrong = np.flatnonzero(predictions != scores.labels)
    order = sorted(
        wrong.tolist(), key=lambda row: (-chances[row, predictions[row]], scores.names[row])
    )
    return [
        ConfidentError(
            name=scores.names[row],
            actual=scores.class_names[int(scores.labels[row])],
            predicted=scores.class_names[int(predictions[row])],
            actual_probability=float(chances[row, scores.labels[row]]),
            predicted_probability=float(chances[row, predictions[row]]),
        )
        for row in order[:count]
    ]


def players(
    store: SequenceStore, layout: Skeleton, errors: Sequence[ConfidentError]
) -> list[dict[str, Any]]:
    """What the player needs for the first errors whose sequences are in the store."""
    row_of = {str(name): row for row, name in enumerate(store.index["name"])}
    return [
        {"error": error, "data": animation(store.sequence(row_of[error.name]), layout)}
        for error in errors
        if error.name in row_of
    ][:_PLAYERS]


def animation(
    sequence: np.ndarray, layout: Skeleton, most_frames: int = _MOST_FRAMES
) -> dict[str, Any]:
    """A sequence as whole numbers in a box of -500 to 500 around its middle.

    Args:
        sequence: (M, T, V, 3); a body that is zero in a frame is absent there.
        layout: Of the joints.
        most_frames: Of a longer sequence so many are taken, evenly.

    Returns:
        ``edges`` (pairs of joints), ``kept`` (0-based frames taken), ``total``
        (frames of the sequence), ``frames``: for each frame kept and each body V * 3 numbers, or
        None where the body is absent.
    """
    total = sequence.shape[1]
    kept = np.unique(np.linspace(0, total - 1, min(total, most_frames)).round().astype(np.int64))
    bodies = sequence[:, kept].astype(np.float64)
    present = np.isfinite(bodies).all(axis=(2, 3)) & (bodies != 0).any(axis=(2, 3))
    boxed = _boxed(bodies, present)
    frames = [
        [
            boxed[body, frame].ravel().tolist() if present[body, frame] else None
            for body in range(len(bodies))
        ]
        for frame in range(len(kept))
    ]
    edges = [list(edge) for edge in layout.edges]
    return {"edges": edges, "kept": kept.tolist(), "total": total, "frames": frames}


def _boxed(bodies: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Shifted and scaled alike in all directions, so that the box holds it however it is turned."""
    points = bodies[present].reshape(-1, bodies.shape[-1])
    if not len(points):
        return np.zeros(bodies.shape, dtype=np.int64)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    across, height, depth = (points - middle).T
    half = max(float(np.hypot(across, depth).max()), float(np.abs(height).max()), 1e-6)
    scaled = (bodies - middle) / half * _HALF_BOX
    return np.where(present[..., None, None], scaled, 0).round().astype(np.int64)
