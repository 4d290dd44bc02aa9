"""Datasets that are part of others: what is prepared of the larger one serves the smaller."""

from __future__ import annotations

_PARTS = {"ntu120": ("ntu60",)}


def datasets_within(dataset: str) -> tuple[str, ...]:
    """A dataset and those that are part of it."""
    return (dataset, *_PARTS.get(dataset, ()))
