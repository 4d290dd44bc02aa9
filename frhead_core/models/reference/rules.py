"""How tensors of ours are made of the reference's: the rules that all its models share.

The two differ in how parameters are grouped: where the reference keeps one convolution for each
subset or branch, we keep one for all of them. Everything a rule does is linear, so it maps
gradients as well as weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

SUBSETS = range(3)
WIDENING_BLOCKS = (1, 5, 8)
STRIDED_BLOCKS = (5, 8)
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_LEVELS = ("low", "mid", "high", "fin")

Join = Callable[[list[Tensor]], Tensor]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """How one tensor of ours is made of tensors of the reference."""

    ours: str
    reference: tuple[str, ...]
    join: Join

    def part_shape(self, whole: Shape) -> Shape:
        """Shape of each part, given that of our tensor; parts of one tensor are equally large."""
        return _PART_SHAPES[self.join](whole, len(self.reference))


def same(parts: list[Tensor]) -> Tensor:
    """The only tensor, or the counter that several merged layers have in common."""
    return parts[0]


def concatenated(parts: list[Tensor]) -> Tensor:
    """Tensors one after the other along their first axis."""
    return torch.cat(parts)


def swapped(parts: list[Tensor]) -> Tensor:
    """A kernel over (T, V) as one over (V, T)."""
    return parts[0].transpose(2, 3)


def flat(parts: list[Tensor]) -> Tensor:
    """1x1 convolutions as rows of one linear map."""
    return torch.cat(parts).flatten(1)


def stacked(parts: list[Tensor]) -> Tensor:
    """1x1 convolutions as one linear map for each subset."""
    return torch.stack([part.flatten(1) for part in parts])


def side_by_side(parts: list[Tensor]) -> Tensor:
    """1x1 convolutions of several inputs as one linear map of all of them."""
    return torch.cat(parts, 1).flatten(1)


def kernels_1d(parts: list[Tensor]) -> Tensor:
    """Kernels over (T, 1) as groups of one convolution over T."""
    return torch.cat(parts).squeeze(-1)


def _transposed(parts: list[Tensor]) -> Tensor:
    return parts[0].T


_PART_SHAPES: dict[Join, Callable[[Shape, int], Shape]] = {
    same: lambda whole, parts: whole,
    concatenated: lambda whole, parts: (whole[0] // parts, *whole[1:]),
    torch.stack: lambda whole, parts: whole[1:],
    swapped: lambda whole, parts: (*whole[:2], whole[3], whole[2]),
    flat: lambda whole, parts: (whole[0] // parts, whole[1], 1, 1),
    stacked: lambda whole, parts: (*whole[1:], 1, 1),
    side_by_side: lambda whole, parts: (whole[0], whole[1] // parts, 1, 1),
    kernels_1d: lambda whole, parts: (whole[0] // parts, *whole[1:], 1),
    _transposed: lambda whole, parts: whole[::-1],
}


def convolution(ours: str, *references: str, weight: Join = concatenated) -> Iterator[Rule]:
    """Weight and bias of a layer that stands for one or several."""
    yield weights_alone(ours, *references, weight=weight)
    yield Rule(f"{ours}.bias", _parts(references, "bias"), concatenated)


def weights_alone(ours: str, *references: str, weight: Join = concatenated) -> Rule:
    """The weight of a layer without bias."""
    return Rule(f"{ours}.weight", _parts(references, "weight"), weight)


def normalisation(ours: str, *references: str) -> Iterator[Rule]:
    """A batch normalisation that stands for one or several."""
    for name in BATCH_NORM:
        join = same if name == "num_batches_tracked" else concatenated
        yield Rule(f"{ours}.{name}", _parts(references, name), join)


def _parts(references: Iterable[str], name: str) -> tuple[str, ...]:
    return tuple(f"{reference}.{name}" for reference in references)


def normalised_map(ours: str, convolution_name: str, normalisation_name: str) -> Iterator[Rule]:
    """A 1x1 convolution with batch normalisation."""
    yield from convolution(f"{ours}.0", convolution_name, weight=flat)
    yield from normalisation(f"{ours}.1", normalisation_name)


UnitRules = Callable[[str, str], Iterator[Rule]]


def ten_blocks(graph: UnitRules, temporal: UnitRules) -> Iterator[Rule]:
    """A backbone of ten blocks, given the rules of a block's two units by ours and their name."""
    yield from normalisation("backbone.input_normalisation.normalisation", "data_bn")
    for number in range(1, 11):
        ours, reference = f"backbone.blocks.{number - 1}", f"l{number}"
        yield from graph(f"{ours}.graph", f"{reference}.gcn1")
        if number in WIDENING_BLOCKS:
            down = f"{reference}.gcn1.down"
            yield from normalised_map(f"{ours}.graph.residual", f"{down}.0", f"{down}.1")
        yield from temporal(f"{ours}.temporal", f"{reference}.tcn1")
        if number in STRIDED_BLOCKS:
            residual = f"{reference}.residual"
            yield from normalised_map(f"{ours}.residual", f"{residual}.conv", f"{residual}.bn")
    yield from convolution("backbone.classifier", "fc")


def head() -> Iterator[Rule]:
    """The FR-Head's tensors, its prototypes among them."""
    for level, name in enumerate(_LEVELS):
        for kind, short in (("spatial", "spatio"), ("temporal", "tempor")):
            ours, reference = f"head.{kind}.{level}", f"ren_{name}.{short}"
            squeeze = f"{reference}_squeeze"
            yield from convolution(f"{ours}.squeeze", f"{squeeze}.0", weight=kernels_1d)
            yield from normalisation(f"{ours}.normalisation", f"{squeeze}.1")
            yield from convolution(f"{ours}.projection", f"{reference}_cl_net.cl_fc")
            yield Rule(f"{ours}.contrast.prototypes", (f"{reference}_cl_net.avg_f",), _transposed)
