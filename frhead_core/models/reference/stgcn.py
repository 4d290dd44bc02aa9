"""ST-GCN's weights by the reference's names, and what it has in common with AAGCN."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from frhead_core.models.reference.rules import (
    SUBSETS,
    Rule,
    convolution,
    normalisation,
    same,
    side_by_side,
    swapped,
    ten_blocks,
)


def rules() -> Iterator[Rule]:
    """All rules of the backbone."""
    return ten_blocks(shared_topology, one_convolution)


def shared_topology(ours: str, reference: str) -> Iterator[Rule]:
    """A graph convolution with one topology for all channels."""
    yield Rule(f"{ours}.adjacency", (f"{reference}.PA",), same)
    subsets = [f"{reference}.conv_d.{j}" for j in SUBSETS]
    joint = f"{ours}.convolution"
    yield Rule(f"{joint}.weight", tuple(f"{s}.weight" for s in subsets), side_by_side)
    yield Rule(f"{joint}.bias", tuple(f"{s}.bias" for s in subsets), torch.stack)
    yield from normalisation(f"{ours}.normalisation", f"{reference}.bn")


def one_convolution(ours: str, reference: str) -> Iterator[Rule]:
    """A temporal convolution of one kernel."""
    yield from convolution(f"{ours}.convolution", f"{reference}.conv", weight=swapped)
    yield from normalisation(f"{ours}.normalisation", f"{reference}.bn")
