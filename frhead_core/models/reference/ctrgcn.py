"""CTR-GCN's weights by the reference's names."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from frhead_core.models.reference.rules import (
    SUBSETS,
    Rule,
    convolution,
    flat,
    normalisation,
    same,
    stacked,
    swapped,
    ten_blocks,
)


def rules() -> Iterator[Rule]:
    """All rules of the backbone."""
    return ten_blocks(_graph, multi_scale)


def _graph(ours: str, reference: str) -> Iterator[Rule]:
    yield from refined_topology(ours, reference)
    features = [f"{reference}.convs.{j}.conv3" for j in SUBSETS]
    yield from convolution(f"{ours}.features", *features, weight=flat)


def refined_topology(ours: str, reference: str) -> Iterator[Rule]:
    """The graph convolution without the map that makes its features."""
    yield Rule(f"{ours}.adjacency", (f"{reference}.PA",), same)
    yield Rule(f"{ours}.alpha", (f"{reference}.alpha",), same)
    subsets = [f"{reference}.convs.{j}" for j in SUBSETS]
    both_sides = [f"{subset}.{side}" for subset in subsets for side in ("conv1", "conv2")]
    yield from convolution(f"{ours}.relation", *both_sides, weight=flat)
    last = [f"{subset}.conv4" for subset in subsets]
    yield Rule(f"{ours}.refinement_weight", tuple(f"{s}.weight" for s in last), stacked)
    yield Rule(f"{ours}.refinement_bias", tuple(f"{s}.bias" for s in last), torch.stack)
    yield from normalisation(f"{ours}.normalisation", f"{reference}.bn")


def multi_scale(ours: str, reference: str) -> Iterator[Rule]:
    """The temporal convolution with its four branches."""
    branch = [f"{reference}.branches.{k}" for k in range(4)]
    entries = [f"{branch[k]}.0" for k in range(3)]
    yield from convolution(f"{ours}.entry", *entries, weight=flat)
    yield from normalisation(f"{ours}.entry_normalisation", *(f"{branch[k]}.1" for k in range(3)))
    for k in range(2):
        yield from convolution(f"{ours}.dilated.{k}", f"{branch[k]}.3.conv", weight=swapped)
    yield from convolution(f"{ours}.plain", f"{branch[3]}.0", weight=flat)
    last = (f"{branch[0]}.3.bn", f"{branch[1]}.3.bn", f"{branch[2]}.4", f"{branch[3]}.1")
    yield from normalisation(f"{ours}.normalisation", *last)
