"""AAGCN's weights by the reference's names."""

from __future__ import annotations

from collections.abc import Iterator

from frhead_core.models.reference.rules import SUBSETS, Rule, convolution, flat, same, ten_blocks
from frhead_core.models.reference.stgcn import one_convolution, shared_topology


def rules() -> Iterator[Rule]:
    """All rules of the backbone."""
    return ten_blocks(_graph, one_convolution)


def _graph(ours: str, reference: str) -> Iterator[Rule]:
    yield from shared_topology(ours, reference)
    yield Rule(f"{ours}.alpha", (f"{reference}.alpha",), same)
    both_sides = [f"{reference}.conv_{side}.{j}" for j in SUBSETS for side in "ab"]
    yield from convolution(f"{ours}.relation", *both_sides, weight=flat)
    attention = {"joints": "conv_sa", "frames": "conv_ta", "squeeze": "fc1c", "expand": "fc2c"}
    for name, theirs in attention.items():
        yield from convolution(f"{ours}.attention.{name}", f"{reference}.{theirs}")
