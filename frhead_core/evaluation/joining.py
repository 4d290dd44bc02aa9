"""Scores of several models over the same samples, joined by the names of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from frhead_core.errors import InputError
from frhead_core.evaluation.scores import Scores

Key = TypeVar("Key", bound=str)


def joined(scores: Mapping[Key, Scores], what: str) -> dict[Key, Scores]:
    """The scores, all in the order of samples of the first, after checking that they fit.

    Args:
        scores: By name; at least one.
        what: What they are called together in messages, such as "modalities".

    Raises:
        InputError: If the sets of samples, the labels, the parts, the numbers of classes or the
            benchmarks differ.
    """
    first_name = next(iter(scores))
    first = scores[first_name]
    together = {}
    for name, each in scores.items():
        field = f"{name} against {first_name}"
        rows = _rows_in_order_of(first, each, what, field)
        together[name] = Scores(
            names=first.names,
            logits=each.logits[rows],
            labels=each.labels[rows],
            parts=tuple(each.parts[row] for row in rows),
            seen_in_training=each.seen_in_training[rows],
            metadata=each.metadata,
        )
        _check_agreement(first, together[name], what, field)
    return together


def _rows_in_order_of(first: Scores, other: Scores, what: str, field: str) -> np.ndarray:
    row_of = {name: row for row, name in enumerate(other.names)}
    missing = sorted(set(first.names) - set(row_of))
    extra = sorted(set(row_of) - set(first.names))
    if missing or extra:
        raise InputError(
            f"the {what} have different samples",
            field=field,
            found=f"{len(missing)} missing ({_some(missing)}) and {len(extra)} more "
            f"({_some(extra)})",
            expected="the same sample names",
        )
    return np.array([row_of[name] for name in first.names], dtype=np.int64)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "none"


def _check_agreement(first: Scores, other: Scores, what: str, field: str) -> None:
    if first.logits.shape != other.logits.shape:
        raise InputError(
            f"the {what} have different numbers of classes",
            field=field,
            found=other.logits.shape[1],
            expected=first.logits.shape[1],
        )
    expected, found = (each.metadata.get("benchmark") for each in (first, other))
    if None not in (expected, found) and expected != found:
        raise InputError(
            "scores of different benchmarks", field=field, found=found, expected=expected
        )
    for row, name in enumerate(first.names):
        for aspect, ours, theirs in (
            ("labels", first.labels[row], other.labels[row]),
            ("parts", first.parts[row], other.parts[row]),
        ):
            if ours != theirs:
                raise InputError(
                    f"the {what} have different {aspect} for {name}",
                    field=field,
                    found=theirs,
                    expected=ours,
                )
