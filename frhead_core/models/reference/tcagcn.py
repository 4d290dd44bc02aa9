"""TCA-GCN's weights by the reference's names."""

from __future__ import annotations

from collections.abc import Iterator

from frhead_core.models.reference.ctrgcn import multi_scale, refined_topology
from frhead_core.models.reference.rules import (
    SUBSETS,
    Rule,
    convolution,
    flat,
    kernels_1d,
    normalisation,
    ten_blocks,
    weights_alone,
)

# CTR-GCN's convolutions that TCA-GCN replaces: the reference has them all the same, without ever
# using them.
UNUSED = tuple(
    f"l{number}.gcn1.convs.{j}.conv3.{name}"
    for number in range(1, 11)
    for j in SUBSETS
    for name in ("weight", "bias")
)


def rules() -> Iterator[Rule]:
    """All rules of the backbone."""
    return ten_blocks(_graph, _temporal)


def _graph(ours: str, reference: str) -> Iterator[Rule]:
    yield from refined_topology(ours, reference)
    subsets = [f"{reference}.convs.{j}" for j in SUBSETS]
    yield weights_alone(f"{ours}.features", *(f"{s}.conv" for s in subsets), weight=flat)
    gate, theirs = f"{ours}.features.gate", [f"{subset}.conv_rf" for subset in subsets]
    yield from convolution(f"{gate}.context", *(f"{one}.g" for one in theirs), weight=flat)
    yield from convolution(f"{gate}.first", *(f"{one}.a" for one in theirs), weight=kernels_1d)
    yield from normalisation(f"{gate}.normalisation", *(f"{one}.bn" for one in theirs))
    yield weights_alone(f"{gate}.second", *(f"{one}.b" for one in theirs), weight=kernels_1d)


def _temporal(ours: str, reference: str) -> Iterator[Rule]:
    yield from multi_scale(ours, reference)
    # Their lists of layers: the global one begins with a pooling layer, and both have a rectifier.
    for name, theirs, first in (("local", "local_att", 0), ("whole", "global_att", 1)):
        for k, layer in enumerate((first, first + 3)):
            place = f"{reference}.af.{theirs}"
            yield from convolution(f"{ours}.{name}.maps.{k}", f"{place}.{layer}", weight=flat)
            yield from normalisation(f"{ours}.{name}.normalisations.{k}", f"{place}.{layer + 1}")
