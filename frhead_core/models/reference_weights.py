"""Weights of the authors' implementation, by its parameter names, as weights of ours.

The two differ in how parameters are grouped: where the reference keeps one convolution for each
subset or branch, we keep one for all of them. :func:`from_reference` is the only place that knows
both sides; everything it does is linear, so it maps gradients as well as weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from frhead_core.errors import InputError
from frhead_core.models.recogniser import Recogniser

_SUBSETS = range(3)
_LEVELS = ("low", "mid", "high", "fin")
_BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Rule:
    """How one tensor of ours is made of tensors of the reference."""

    ours: str
    reference: tuple[str, ...]
    join: Callable[[list[Tensor]], Tensor]


def from_reference(tensors: Mapping[str, Tensor], backbone: str, head: bool) -> dict[str, Tensor]:
    """Tensors by the reference's names as tensors by ours.

    Names are cut after their last ``module.``. Prototypes may be given as
    ``ren_*.{spatio,tempor}_cl_net.avg_f``, (256, K), though the reference never saves them.

    Args:
        tensors: The reference's state, or gradients by the same names.
        backbone: Name of the backbone, as in the registry.
        head: Whether our model has an FR-Head; if not, the reference's is left out.

    Returns:
        Every tensor whose parts are all there.

    Raises:
        InputError: If there is no mapping for the backbone, or some tensors belong nowhere.
    """
    if backbone not in BACKBONE_RULES:
        raise InputError(
            "the reference's weights cannot be mapped for this backbone",
            field="backbone",
            found=backbone,
            expected="one of " + ", ".join(sorted(BACKBONE_RULES)),
        )
    given = {name.rpartition("module.")[2]: tensor for name, tensor in tensors.items()}
    rules = [*BACKBONE_RULES[backbone](), *head_rules()]
    _refuse_unknown(given, rules)
    return {
        rule.ours: rule.join([given[name] for name in rule.reference])
        for rule in rules
        if all(name in given for name in rule.reference)
        and (head or not rule.ours.startswith("head."))
    }


def load_reference_state(
    model: Recogniser, tensors: Mapping[str, Tensor], backbone: str
) -> list[str]:
    """Put a state of the reference into a model of ours, strictly.

    Only prototypes may be missing from it: the reference does not save them.

    Args:
        model: Changed in place.
        tensors: The reference's state dictionary.
        backbone: Name of the backbone.

    Returns:
        Names of the prototypes that keep the values they had.

    Raises:
        InputError: If tensors are missing, left over, or of another shape; it lists them.
    """
    state = from_reference(tensors, backbone, head=model.head is not None)
    expected = model.state_dict()
    prototypes = sorted(name for name in expected if name.endswith(".prototypes"))
    missing = sorted(set(expected) - set(state) - set(prototypes))
    wrong = [
        f"{name}: found {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}"
        for name, tensor in state.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if missing or wrong:
        raise InputError(
            "the weights do not fit the model",
            found=_listing([f"nothing for {name}" for name in missing] + wrong),
        )
    model.load_state_dict(state, strict=False)
    return [name for name in prototypes if name not in state]


def _refuse_unknown(given: Mapping[str, Tensor], rules: list[Rule]) -> None:
    known = {name for rule in rules for name in rule.reference}
    known |= {
        name.replace("running_mean", statistic)
        for name in known
        if name.endswith("running_mean")
        for statistic in _BATCH_NORM
    }
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError("names that the reference does not have", found=_listing(unknown))


def _listing(lines: list[str], most: int = 12) -> str:
    shown = "; ".join(lines[:most])
    return shown if len(lines) <= most else f"{shown}; and {len(lines) - most} more"


def _same(parts: list[Tensor]) -> Tensor:
    """The only tensor, or the counter that several merged layers have in common."""
    return parts[0]


def _concatenated(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts)


def _swapped(parts: list[Tensor]) -> Tensor:
    """A kernel over (T, V) as one over (V, T)."""
    return parts[0].transpose(2, 3)


def _flat(parts: list[Tensor]) -> Tensor:
    """1x1 convolutions as rows of one linear map."""
    return torch.cat(parts).flatten(1)


def _stacked(parts: list[Tensor]) -> Tensor:
    """1x1 convolutions as one linear map for each subset."""
    return torch.stack([part.flatten(1) for part in parts])


def _kernel_1d(parts: list[Tensor]) -> Tensor:
    return parts[0].squeeze(-1)


def _transposed(parts: list[Tensor]) -> Tensor:
    return parts[0].T


def _convolution(
    ours: str, reference: str, weight: Callable[[list[Tensor]], Tensor] = _same
) -> Iterator[Rule]:
    yield Rule(f"{ours}.weight", (f"{reference}.weight",), weight)
    yield Rule(f"{ours}.bias", (f"{reference}.bias",), _same)


def _normalisation(ours: str, *references: str) -> Iterator[Rule]:
    for name in _BATCH_NORM:
        join = _same if name == "num_batches_tracked" else _concatenated
        yield Rule(f"{ours}.{name}", tuple(f"{part}.{name}" for part in references), join)


def _ctrgcn_rules() -> Iterator[Rule]:
    yield from _normalisation("backbone.input_normalisation.normalisation", "data_bn")
    for number in range(1, 11):
        ours, reference = f"backbone.blocks.{number - 1}", f"l{number}"
        yield from _ctrgcn_graph_rules(f"{ours}.graph", f"{reference}.gcn1")
        yield from _ctrgcn_temporal_rules(f"{ours}.temporal", f"{reference}.tcn1")
        yield from _convolution(f"{ours}.residual.0", f"{reference}.residual.conv", _flat)
        yield from _normalisation(f"{ours}.residual.1", f"{reference}.residual.bn")
    yield from _convolution("backbone.classifier", "fc")


def _ctrgcn_graph_rules(ours: str, reference: str) -> Iterator[Rule]:
    subsets = [f"{reference}.convs.{j}" for j in _SUBSETS]
    yield Rule(f"{ours}.adjacency", (f"{reference}.PA",), _same)
    yield Rule(f"{ours}.alpha", (f"{reference}.alpha",), _same)
    both_sides = [f"{subset}.{side}" for subset in subsets for side in ("conv1", "conv2")]
    yield Rule(f"{ours}.relation.weight", tuple(f"{s}.weight" for s in both_sides), _flat)
    yield Rule(f"{ours}.relation.bias", tuple(f"{s}.bias" for s in both_sides), _concatenated)
    features = [f"{subset}.conv3" for subset in subsets]
    yield Rule(f"{ours}.features.weight", tuple(f"{s}.weight" for s in features), _flat)
    yield Rule(f"{ours}.features.bias", tuple(f"{s}.bias" for s in features), _concatenated)
    last = [f"{subset}.conv4" for subset in subsets]
    yield Rule(f"{ours}.refinement_weight", tuple(f"{s}.weight" for s in last), _stacked)
    yield Rule(f"{ours}.refinement_bias", tuple(f"{s}.bias" for s in last), torch.stack)
    yield from _normalisation(f"{ours}.normalisation", f"{reference}.bn")
    yield from _convolution(f"{ours}.residual.0", f"{reference}.down.0", _flat)
    yield from _normalisation(f"{ours}.residual.1", f"{reference}.down.1")


def _ctrgcn_temporal_rules(ours: str, reference: str) -> Iterator[Rule]:
    branch = [f"{reference}.branches.{k}" for k in range(4)]
    entries = [f"{branch[k]}.0" for k in range(3)]
    yield Rule(f"{ours}.entry.weight", tuple(f"{e}.weight" for e in entries), _flat)
    yield Rule(f"{ours}.entry.bias", tuple(f"{e}.bias" for e in entries), _concatenated)
    yield from _normalisation(f"{ours}.entry_normalisation", *(f"{branch[k]}.1" for k in range(3)))
    for k in range(2):
        yield from _convolution(f"{ours}.dilated.{k}", f"{branch[k]}.3.conv", _swapped)
    yield from _convolution(f"{ours}.plain", f"{branch[3]}.0", _flat)
    last = (f"{branch[0]}.3.bn", f"{branch[1]}.3.bn", f"{branch[2]}.4", f"{branch[3]}.1")
    yield from _normalisation(f"{ours}.normalisation", *last)


def head_rules() -> Iterator[Rule]:
    """The FR-Head's tensors, its prototypes among them."""
    for level, name in enumerate(_LEVELS):
        for kind, short in (("spatial", "spatio"), ("temporal", "tempor")):
            ours, reference = f"head.{kind}.{level}", f"ren_{name}.{short}"
            yield from _convolution(f"{ours}.squeeze", f"{reference}_squeeze.0", _kernel_1d)
            yield from _normalisation(f"{ours}.normalisation", f"{reference}_squeeze.1")
            yield from _convolution(f"{ours}.projection", f"{reference}_cl_net.cl_fc")
            yield Rule(f"{ours}.contrast.prototypes", (f"{reference}_cl_net.avg_f",), _transposed)


BACKBONE_RULES: dict[str, Callable[[], Iterator[Rule]]] = {"ctrgcn": _ctrgcn_rules}
