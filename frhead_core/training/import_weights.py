"""Weights published by the authors, as a model artifact of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

from frhead_core.config import Modality, Recipe, override
from frhead_core.errors import InputError
from frhead_core.models.recogniser import Recogniser
from frhead_core.models.reference.weights import (
    UNUSED,
    load_reference_state,
    recognised_backbone,
    without_prefixes,
)
from frhead_core.models.registry import build_model
from frhead_core.skeletons import skeleton
from frhead_core.training.artifact import write_artifact
from frhead_core.training.checkpoint import contiguous_state

_FOREIGN_OBJECT = re.compile(r"Unsupported global: GLOBAL (\S+)")


@dataclass(frozen=True)
class ImportReport:
    """What was recognised in a file of weights.

    Attributes:
        directory: The model artifact that was written.
        backbone: Name of the backbone.
        tensors: How many tensors the file holds.
        unused: How many of them take no part in the reference's model, and have no place in ours.
        head: Whether it holds an FR-Head.
        outputs: Outputs of its classifier.
        base_channels: Channels of its first blocks.
        fresh_prototypes: Prototype memories that start anew, because the file has none.
    """

    directory: Path
    backbone: str
    tensors: int
    unused: int
    head: bool
    outputs: int
    base_channels: int
    fresh_prototypes: int

    @property
    def text(self) -> str:
        """The report in a few lines."""
        head = "with FR-Head" if self.head else "without FR-Head"
        lines = [
            f"recognised {self.backbone} {head}: {self.tensors} tensors, {self.outputs} outputs, "
            f"{self.base_channels} base channels",
        ]
        if self.unused:
            lines.append(
                f"{self.unused} of the tensors are left out: the reference's {self.backbone} has "
                "them but never uses them"
            )
        if self.fresh_prototypes:
            lines.append(
                f"{self.fresh_prototypes} class prototype memories are not in the file and start "
                "from N(0, 1); they matter only if training goes on"
            )
        lines.append(f"model written to {self.directory}")
        return "\n".join(lines)


def import_weights(
    file: Path, *, backbone: str | None = None, recipe: Recipe, modality: Modality, output: Path
) -> ImportReport:
    """Read the authors' weights and write them as a model artifact.

    The file is read as data: nothing in it is executed.

    Args:
        file: A state dictionary saved by torch, names with or without ``module.``.
        backbone: Name of the backbone that they must be of; None takes what their names tell.
        recipe: Benchmark that the weights were trained for; whether there is a head, the outputs
            and the width are taken from the file.
        modality: Modality that the weights were trained for.
        output: Directory of the model artifact.

    Raises:
        InputError: If the file is no such dictionary, or its tensors do not fit the model; the
            message names them.
    """
    tensors = _read_state(file)
    with _naming(file):
        tensors = without_prefixes(tensors)
        recognised = recognised_backbone(tensors)
    if backbone not in (None, recognised):
        raise InputError(
            "the weights are of another backbone",
            file=file,
            field="backbone",
            found=f"names of {recognised}",
            expected=backbone,
        )
    adapted = _adapted_recipe(recipe, recognised, tensors, file)
    torch.manual_seed(adapted.training.seed)  # for prototypes that the file does not hold
    model = build_model(adapted)
    with _naming(file):
        fresh = load_reference_state(model, tensors, recognised)
    _write(model, adapted, modality, file, output)
    return ImportReport(
        directory=output,
        backbone=recognised,
        tensors=len(tensors),
        unused=len(tensors.keys() & UNUSED.get(recognised, frozenset())),
        head=adapted.head.enabled,
        outputs=adapted.outputs,
        base_channels=adapted.model.base_channels,
        fresh_prototypes=len(fresh),
    )


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Errors about the tensors name the file that they are from."""
    try:
        yield
    except InputError as error:
        raise InputError(
            error.problem, file=file, field=error.field, found=error.found, expected=error.expected
        ) from error


def _read_state(file: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from error
    except Exception as error:  # torch raises many kinds for what is not a file of weights
        raise InputError(
            "is not a file of weights that can be read safely",
            file=file,
            found=_why_unreadable(error),
            expected="a state dictionary saved by torch.save",
        ) from error
    if not isinstance(content, Mapping):
        raise InputError(
            "is not a state dictionary",
            file=file,
            found=type(content).__name__,
            expected="parameter names to tensors",
        )
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise InputError(
                "is not a state dictionary",
                file=file,
                field=str(name),
                found=type(tensor).__name__,
                expected="parameter names to tensors",
            )
    _refuse_unusable(content, file)
    return dict(content)


def _why_unreadable(error: Exception) -> str:
    """What torch says of a file, without its advice to read it unsafely."""
    said = str(error)
    foreign = _FOREIGN_OBJECT.search(said)
    if foreign:
        return f"objects of {foreign[1]}, which are not read"
    return (said.splitlines() or [""])[0] if isinstance(error, RuntimeError) else "something else"


def _refuse_unusable(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Refuse tensors that no weights can be made of; a model of them would recognise nothing."""
    for name, tensor in tensors.items():
        numbers = not tensor.is_complex() and not tensor.is_quantized
        if not numbers or tensor.layout != torch.strided or tensor.is_meta:
            kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
            raise InputError(
                "cannot be used as weights",
                file=file,
                field=name,
                found=kind,
                expected="dense tensors of real numbers",
            )
        if not torch.isfinite(tensor).all():
            raise InputError("holds numbers that are not finite", file=file, field=name)


def _adapted_recipe(
    recipe: Recipe, backbone: str, tensors: Mapping[str, Tensor], file: Path
) -> Recipe:
    """The recipe with width, outputs and head as in the file."""
    classifier = tensors.get("fc.weight")
    if classifier is None or classifier.ndim != 2 or classifier.shape[1] % 4:
        raise InputError(
            "has no classifier",
            file=file,
            field="fc.weight",
            found=None if classifier is None else tuple(classifier.shape),
            expected="(outputs, 4 * base channels)",
        )
    outputs, width = classifier.shape
    if outputs < recipe.classes:
        raise InputError(
            "the classifier has fewer outputs than the benchmark has classes",
            file=file,
            field="fc.weight",
            found=outputs,
            expected=recipe.classes,
        )
    settings: dict[str, Any] = {
        "model.backbone": backbone,
        "model.base_channels": width // 4,
        "model.reference_outputs": None if outputs == recipe.classes else outputs,
        "head.enabled": any(name.startswith("ren_") for name in tensors),
    }
    return override(recipe, settings)


def _write(model: Recogniser, recipe: Recipe, modality: Modality, file: Path, output: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    write_artifact(
        output,
        recipe=recipe,
        modality=modality,
        weights={"last": to_safetensors(contiguous_state(model))},
        metadata={
            "benchmark": recipe.name,
            "backbone": recipe.model.backbone,
            "skeleton": skeleton(recipe.skeleton).name,
            "origin": f"imported from {file.name}, SHA-256 {digest}",
            "seed": None,
            "precision": recipe.training.precision,
            "trained_on": "what its authors trained it on",
            "code_version": None,
            "data_fingerprint": None,
            "metrics": {},
        },
        history=(),
        training_samples=None,
    )
