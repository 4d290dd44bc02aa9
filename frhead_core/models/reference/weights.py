"""Weights of the authors' implementation, by its parameter names, as weights of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from torch import Tensor

from frhead_core.errors import InputError
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference import aagcn, ctrgcn, stgcn, tcagcn
from frhead_core.models.reference.rules import Rule, head

BACKBONE_RULES: dict[str, Callable[[], Iterator[Rule]]] = {
    "aagcn": aagcn.rules,
    "ctrgcn": ctrgcn.rules,
    "stgcn": stgcn.rules,
    "tcagcn": tcagcn.rules,
}
UNUSED = {"tcagcn": frozenset(tcagcn.UNUSED)}
"""Entries of the reference's state that take no part in its model, and have no place in ours."""


def from_reference(tensors: Mapping[str, Tensor], backbone: str, head: bool) -> dict[str, Tensor]:
    """Tensors by the reference's names as tensors by ours.

    Names are cut after their last ``module.``. Prototypes may be given as
    ``ren_*.{spatio,tempor}_cl_net.avg_f``, (256, K), though the reference never saves them.
    What is :data:`UNUSED` is left out.

    Args:
        tensors: The reference's state, or gradients by the same names.
        backbone: Name of the backbone, as in the registry.
        head: Whether our model has an FR-Head; if not, the reference's is left out.

    Returns:
        Every tensor whose parts are all there.

    Raises:
        InputError: If there is no mapping for the backbone, some tensors belong nowhere, or parts
            of one tensor do not fit together.
    """
    given = without_prefixes(tensors)
    rules = _rules(backbone)
    _refuse_unknown(given, known_names(backbone))
    return {
        rule.ours: _joined(rule, given)
        for rule in rules
        if all(name in given for name in rule.reference)
        and (head or not rule.ours.startswith("head."))
    }


def load_reference_state(
    model: Recogniser, tensors: Mapping[str, Tensor], backbone: str
) -> list[str]:
    """Put a state of the reference into a model of ours, strictly.

    Only prototypes may be missing from it (the reference does not save them), and what is
    :data:`UNUSED`.

    Args:
        model: Changed in place.
        tensors: The reference's state dictionary.
        backbone: Name of the backbone.

    Returns:
        Names of the prototypes that keep the values they had.

    Raises:
        InputError: If tensors are missing, left over, or of another shape; it lists all of them by
            the reference's names, with their shapes.
    """
    given, expected = without_prefixes(tensors), model.state_dict()
    _refuse_unfit(given, expected, backbone)
    state = from_reference(given, backbone, head=model.head is not None)
    model.load_state_dict(state, strict=False)
    return [name for name in _prototypes(expected) if name not in state]


def _prototypes(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".prototypes"))


def _refuse_unfit(
    given: Mapping[str, Tensor], expected: Mapping[str, Tensor], backbone: str
) -> None:
    """Say everything at once that keeps a state of the reference from being one of ours."""
    shapes = {name: tuple(tensor.shape) for name, tensor in given.items()}
    wanted = {
        name: (rule.ours, rule.part_shape(tuple(expected[rule.ours].shape)))
        for rule in _rules(backbone)
        if rule.ours in expected
        for name in rule.reference
    }
    not_saved = _prototypes(expected)
    problems = {
        "unknown": _unknown(given, known_names(backbone)),
        "missing": [
            f"{name} {shape}"
            for name, (ours, shape) in wanted.items()
            if name not in given and ours not in not_saved
        ],
        "of another shape": [
            f"{name} {shapes[name]}, expected {shape}"
            for name, (_, shape) in wanted.items()
            if name in given and shapes[name] != shape
        ],
    }
    told = [f"{len(some)} {what}: {_listing(some)}" for what, some in problems.items() if some]
    if told:
        raise InputError("the weights do not fit the model", found=". ".join(told))


def recognised_backbone(names: Iterable[str]) -> str:
    """The backbone whose names those of a state dictionary are, or nearly so.

    Args:
        names: Without prefixes.

    Raises:
        InputError: If too many names of every backbone are missing, or others too many.
    """
    of_head = {name for rule in head() for name in rule.reference}
    given = set(names) - of_head
    known = {backbone: known_names(backbone) - of_head for backbone in BACKBONE_RULES}
    best = min(known, key=lambda backbone: len(given ^ known[backbone]))
    if 2 * len(given ^ known[best]) >= len(known[best]):
        raise InputError(
            "the names are those of no backbone of the reference",
            found=_listing(sorted(given)) if given else "no names",
            expected="names of one of " + ", ".join(BACKBONE_RULES),
        )
    return best


def known_names(backbone: str) -> frozenset[str]:
    """All names that the reference's state has or may have, with FR-Head and its prototypes."""
    names = {name for rule in _rules(backbone) for name in rule.reference}
    return frozenset(names) | UNUSED.get(backbone, frozenset())


def without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by their names after the last ``module.``.

    Raises:
        InputError: If two names are then the same.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = name.rpartition("module.")[2]
        if short in result:
            raise InputError("is there twice, with and without a prefix", field=short)
        result[short] = tensor
    return result


def _rules(backbone: str) -> list[Rule]:
    if backbone not in BACKBONE_RULES:
        raise InputError(
            "the reference's weights cannot be mapped for this backbone",
            field="backbone",
            found=backbone,
            expected="one of " + ", ".join(BACKBONE_RULES),
        )
    return [*BACKBONE_RULES[backbone](), *head()]


def _joined(rule: Rule, given: Mapping[str, Tensor]) -> Tensor:
    try:
        return rule.join([given[name] for name in rule.reference])
    except (RuntimeError, IndexError) as error:  # what torch raises for shapes that do not fit
        raise InputError("tensors do not fit together", found=_parts(rule, given)) from error


def _parts(rule: Rule, given: Mapping[str, Tensor]) -> str:
    """Names and shapes of the tensors that a rule joins."""
    return " + ".join(f"{name} {tuple(given[name].shape)}" for name in rule.reference)


def _unknown(given: Mapping[str, Tensor], known: frozenset[str]) -> list[str]:
    return [f"{name} {tuple(given[name].shape)}" for name in sorted(given.keys() - known)]


def _refuse_unknown(given: Mapping[str, Tensor], known: frozenset[str]) -> None:
    if unknown := _unknown(given, known):
        raise InputError("names that the reference does not have", found=_listing(unknown))


def _listing(lines: list[str], most: int = 12) -> str:
    shown = "; ".join(lines[:most])
    return shown if len(lines) <= most else f"{shown}; and {len(lines) - most} more"
