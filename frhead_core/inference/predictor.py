"""Predictions for single recordings, by one model or an ensemble of modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from frhead_core.config import MODALITIES, Modality, Recipe, benchmark_names, load_recipe
from frhead_core.data.loader import ModelInput
from frhead_core.data.ragged import RaggedBatch
from frhead_core.errors import InputError
from frhead_core.evaluation.ensemble import (
    WeightsOrigin,
    checked_weights,
    recipe_weights,
    weighted_sum,
)
from frhead_core.evaluation.logits import for_asking, output_of
from frhead_core.evaluation.metrics import probabilities, ranking
from frhead_core.evaluation.tables import weights_text
from frhead_core.inference.class_names import class_names
from frhead_core.inference.recording import read_recording
from frhead_core.models.recogniser import Recogniser
from frhead_core.skeletons import skeleton
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.device import choose_device

WHICH = "last"


@dataclass(frozen=True)
class Guess:
    """One class, its index, and how probable it is by the softmax of the logits, from 0 to 1."""

    name: str
    index: int
    probability: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is said of one recording.

    Attributes:
        logits: (K,) float32; of an ensemble the weighted sum.
        classes: Their names.
    """

    logits: np.ndarray
    classes: tuple[str, ...]

    def top(self, count: int) -> list[Guess]:
        """The most probable classes, at most ``count``, the first of them first."""
        order = ranking(self.logits[np.newaxis])[0][::-1][:count]
        shares = probabilities(self.logits[np.newaxis])[0]
        return [Guess(self.classes[k], int(k), float(shares[k])) for k in order]


@dataclass(frozen=True)
class _Member:
    recipe: Recipe
    model: Recogniser
    input: ModelInput


class Predictor:
    """One model or an ensemble, ready to be asked; weights ``last``.

    Args:
        models: Opened models, one for each modality at most.
        weights: By modality; None for the benchmark's.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

    Attributes:
        weights: By modality, in the usual order.
        classes: Names by index.
        recipe: Of the first model; all agree in what preparation depends on.

    Raises:
        InputError: If there is no model, two are of one modality, they are for different things,
            or a weight is missing, not finite, or of no model.
    """

    def __init__(
        self,
        models: Sequence[ModelArtifact],
        weights: Mapping[Modality, float] | None = None,
        device: str = "auto",
    ) -> None:
        chosen = _by_modality(models)
        first = next(iter(chosen.values()))
        for other in chosen.values():
            _check_same(first, other)
        self.recipe = first.recipe
        self.classes = class_names(first)
        self._origin: WeightsOrigin = "benchmark" if weights is None else "given"
        self.weights = _weights(chosen, weights)
        self._device = choose_device(device)
        self._members = {name: _member(model, self._device) for name, model in chosen.items()}

    @property
    def text(self) -> str:
        """Who is asked, and where the weights come from, in one line."""
        names = ", ".join(
            f"{name} {weight:.4g}" if len(self.weights) > 1 else name
            for name, weight in self.weights.items()
        )
        if len(self.weights) == 1:
            return f"model: {names}"
        origin = weights_text(self._origin, _benchmark(self.recipe))
        return f"ensemble: {names} (weights: {origin})"

    def predict(self, path: Path) -> Prediction:
        """Read a recording and say what is done in it.

        Raises:
            InputError: If it cannot be used (see :func:`read_recording`), or a logit is not finite.
        """
        return self.predict_sequence(read_recording(path, self.recipe), str(path))

    def predict_sequence(self, sequence: np.ndarray, name: str) -> Prediction:
        """Say what is done in a centred sequence, (M, T, V, C), by the test-time transforms.

        Raises:
            InputError: If a logit is not finite.
        """
        batch = RaggedBatch.of_one(name, sequence)
        logits = {
            modality: output_of(
                member.model, member.input(batch), self._device, member.recipe.training.precision
            )
            for modality, member in self._members.items()
        }
        for modality, of_one in logits.items():
            if not np.isfinite(of_one).all():
                raise InputError(
                    f"the {modality} model's logits are not finite",
                    field=name,
                    expected="coordinates in metres, and weights that are finite",
                )
        if len(logits) == 1:
            return Prediction(next(iter(logits.values()))[0], self.classes)
        return Prediction(weighted_sum(logits, self.weights)[0], self.classes)


def _by_modality(models: Sequence[ModelArtifact]) -> dict[Modality, ModelArtifact]:
    if not models:
        raise InputError("no model to ask", expected="at least one")
    found: dict[Modality, ModelArtifact] = {}
    for model in models:
        if model.modality in found:
            raise InputError(
                "two models of one modality",
                field=model.modality,
                found=f"{found[model.modality].directory} and {model.directory}",
            )
        found[model.modality] = model
    return {name: found[name] for name in MODALITIES if name in found}


def _check_same(first: ModelArtifact, other: ModelArtifact) -> None:
    one, another = first.recipe, other.recipe
    for field, expected, found in (
        ("benchmark", one.name, another.name),
        ("dataset", one.dataset, another.dataset),
        ("skeleton", one.skeleton, another.skeleton),
        ("classes", one.classes, another.classes),
        (
            "preparation.compatibility",
            one.preparation.compatibility,
            another.preparation.compatibility,
        ),
        ("loader.persons", one.loader.persons, another.loader.persons),
    ):
        if found != expected:
            raise InputError(
                f"is for something else than {first.directory}",
                file=other.directory,
                field=field,
                found=found,
                expected=expected,
            )


def _weights(
    models: Mapping[Modality, ModelArtifact], given: Mapping[Modality, float] | None
) -> dict[Modality, float]:
    if given is None:
        return checked_weights(
            models, recipe_weights(_benchmark(next(iter(models.values())).recipe))
        )
    idle = [name for name in given if name not in models]
    if idle:
        raise InputError(
            "a weight of no model",
            field="weights",
            found=", ".join(idle),
            expected=", ".join(models),
        )
    return checked_weights(models, given)


def _benchmark(recipe: Recipe) -> Recipe:
    """The benchmark of a model, whose own recipe need not hold the ensemble's weights."""
    if recipe.ensemble is None and recipe.name in benchmark_names():
        return load_recipe(recipe.name)
    return recipe


def _member(artifact: ModelArtifact, device: torch.device) -> _Member:
    recipe = artifact.recipe
    model_input = ModelInput(recipe.loader, skeleton(recipe.skeleton), artifact.modality)
    model = for_asking(artifact.load(WHICH).to(device), recipe.training.precision)
    return _Member(recipe, model, model_input)
