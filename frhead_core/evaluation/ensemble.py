"""Ensembles: a weighted sum of the logits of several modalities, joined by sample name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from frhead_core.config import MODALITIES, Modality, Recipe
from frhead_core.errors import InputError
from frhead_core.evaluation.joining import joined
from frhead_core.evaluation.metrics import cross_entropy, top_k_right
from frhead_core.evaluation.scores import Scores

WeightsOrigin = Literal["benchmark", "given", "searched"]

# Each divisible by 2, 3 and 4, so that equal weights are always among those tried.
_COARSE_STEPS = 12
_HALVINGS = 3


@dataclass(frozen=True)
class EnsembleResult:
    """An ensemble of one run.

    Attributes:
        weights: Of each modality.
        origin: Whether the weights are the benchmark's, were given, or were searched.
        last: Combined scores of the models after the last epoch.
        best_on_test: Combined scores of the epochs that are best on the test set.
    """

    weights: Mapping[Modality, float]
    origin: WeightsOrigin
    last: Scores | None = None
    best_on_test: Scores | None = None


def recipe_weights(recipe: Recipe) -> dict[Modality, float]:
    """The benchmark's weights; equal ones where the recipe has none."""
    if recipe.ensemble is None:
        return dict.fromkeys(MODALITIES, 1.0)
    return {modality: getattr(recipe.ensemble, modality) for modality in MODALITIES}


def combine(scores: Mapping[Modality, Scores], weights: Mapping[Modality, float]) -> Scores:
    """The weighted sum of the logits of every sample, in float32.

    Samples are joined by name; the result has the order of the first modality (in the order
    joint, bone, joint motion, bone motion). Any subset of the modalities will do.

    Args:
        scores: By modality; all over the same samples and classes.
        weights: One for each modality in ``scores``; those of other modalities are ignored.

    Raises:
        InputError: If the sets of samples, the labels, the parts, the classes or the benchmarks
            differ, or a weight is missing, not finite, or all are zero.
    """
    joined = _joined(scores)
    chosen = checked_weights(joined, weights)
    logits = weighted_sum({name: each.logits for name, each in joined.items()}, chosen)
    first = next(iter(joined.values()))
    shared = ("benchmark", "backbone", "which", "data_fingerprint", "classes")
    metadata = {
        key: _common([each.metadata.get(key) for each in joined.values()]) for key in shared
    }
    return Scores(
        names=first.names,
        logits=logits,
        labels=first.labels,
        parts=first.parts,
        seen_in_training=np.logical_or.reduce([each.seen_in_training for each in joined.values()]),
        metadata={**metadata, "modality": "ensemble", "weights": chosen},
    )


def checked_weights(
    modalities: Collection[Modality], weights: Mapping[Modality, float]
) -> dict[Modality, float]:
    """The weights of some modalities, in their order; those of others are left out.

    Raises:
        InputError: If one is missing or not finite, or all are zero.
    """
    if not set(modalities) <= set(weights):
        raise InputError(
            "there must be one weight for each modality",
            field="weights",
            found=", ".join(weights) or "none",
            expected=", ".join(modalities),
        )
    for modality in modalities:
        if not math.isfinite(weights[modality]):
            raise InputError(
                "no usable weight",
                field=modality,
                found=weights[modality],
                expected="a finite number",
            )
    chosen = {modality: float(weights[modality]) for modality in modalities}
    if not any(chosen.values()):
        raise InputError("all weights are zero", field="weights", found=chosen)
    return chosen


def weighted_sum(
    logits: Mapping[Modality, np.ndarray], weights: Mapping[Modality, float]
) -> np.ndarray:
    """The weighted sum of the logits (n, K) of some modalities: (n, K) float32."""
    first, *others = (np.float32(weights[name]) * each for name, each in logits.items())
    return np.asarray(sum(others, start=first), dtype=np.float32)


def search_weights(scores: Mapping[Modality, Scores]) -> dict[Modality, float]:
    """Weights (adding up to 1) that recognise most samples, found without looking at test samples.

    All weights in steps of 1/12 are tried, then three times the neighbourhood of the best in steps
    half as large. Better is: more samples right; of equals, the lower cross-entropy; of equals,
    the closer to equal weights. Nothing is random, so equal scores give equal weights.

    Args:
        scores: By modality, over samples that none of the models was trained on.

    Raises:
        InputError: If any sample belongs to the test set or to no known part, was seen in
            training by any of the models, or the scores stem from different benchmarks or data.
    """
    for modality in _ordered(scores):
        _check_searchable(modality, scores[modality])
    joined = _joined(scores)
    for key in ("benchmark", "data_fingerprint"):
        _check_same_origin(joined, key)
    names = list(joined)
    best: tuple[int, ...] = ()
    steps = _COARSE_STEPS
    for halving in range(_HALVINGS + 1):
        if halving:
            steps *= 2
            candidates = _neighbours(tuple(2 * part for part in best))
        else:
            candidates = _simplex(steps, len(names))
        best = min(candidates, key=lambda candidate: _badness(joined, candidate))
    return {name: part / steps for name, part in zip(names, best, strict=True)}


def check_same_models(
    searched: Mapping[Modality, Scores], combined: Mapping[Modality, Scores]
) -> None:
    """Refuse weights that were searched on scores of other models than they are for.

    Args:
        searched: The held-out scores that the weights are searched on.
        combined: The scores that are combined with these weights.

    Raises:
        InputError: If a modality is missing in either, or its scores do not state the same model.
    """
    for modality in _ordered({**searched, **combined}):
        found, expected = (_model_text(scores, modality) for scores in (searched, combined))
        if found is None or found != expected:
            raise InputError(
                "the ensemble weights would come from other models",
                field=modality,
                found=f"held-out scores of {found or 'no stated model'}",
                expected=f"of the model that is combined ({expected or 'not stated'})",
                hint="Score the held-out part with the very weights that are combined",
            )


def _model_text(scores: Mapping[Modality, Scores], modality: Modality) -> str | None:
    metadata = scores[modality].metadata if modality in scores else {}
    mark = metadata.get("model")
    return None if mark is None else f"{metadata.get('which')}, weights {str(mark)[:12]}"


def _ordered(scores: Mapping[Modality, Scores]) -> list[Modality]:
    if not scores:
        raise InputError("no scores to combine", expected="at least one modality")
    return [modality for modality in MODALITIES if modality in scores]


def _joined(scores: Mapping[Modality, Scores]) -> dict[Modality, Scores]:
    """The scores in the usual order, and all in the order of samples of the first."""
    return joined({modality: scores[modality] for modality in _ordered(scores)}, "modalities")


def _common(values: list[object]) -> object:
    return values[0] if all(value == values[0] for value in values) else None


def _check_searchable(modality: Modality, scores: Scores) -> None:
    expected = "samples that none of the models was trained on and that are not test samples"
    hint = "Hold out a validation part of the training recordings and give its scores"
    allowed = ("train", "validation")
    for name, part, seen in zip(scores.names, scores.parts, scores.seen_in_training, strict=True):
        if part not in allowed:
            raise InputError(
                "ensemble weights are not searched on these samples",
                field=f"{modality}, {name}",
                found=f"a sample of the part '{part}'",
                expected=expected,
                hint=hint,
            )
        if seen:
            raise InputError(
                "ensemble weights are not searched on these samples",
                field=f"{modality}, {name}",
                found="a sample that the model was trained on",
                expected=expected,
                hint=hint,
            )


def _check_same_origin(scores: Mapping[Modality, Scores], key: str) -> None:
    found = {name: each.metadata.get(key) for name, each in scores.items()}
    if None in found.values() or len(set(found.values())) > 1:
        raise InputError(
            "ensemble weights are only searched on scores of one known origin",
            field=key,
            found=", ".join(f"{name}: {value}" for name, value in found.items()),
            expected="the same, stated by all",
        )


def _simplex(steps: int, count: int) -> Iterator[tuple[int, ...]]:
    """All tuples of ``count`` integers from 0 that add up to ``steps``."""
    if count == 1:
        yield (steps,)
        return
    for part in range(steps + 1):
        for rest in _simplex(steps - part, count - 1):
            yield (part, *rest)


def _neighbours(centre: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All tuples with the same sum and no part negative or more than 1 from the centre's."""
    for shift in itertools.product((-1, 0, 1), repeat=len(centre)):
        moved = tuple(part + change for part, change in zip(centre, shift, strict=True))
        if sum(shift) == 0 and min(moved) >= 0:
            yield moved


def _badness(
    scores: Mapping[Modality, Scores], parts: tuple[int, ...]
) -> tuple[int, float, int, tuple[int, ...]]:
    """What is to be as small as possible, first things first."""
    total = sum(parts)
    weights = {name: part / total for name, part in zip(scores, parts, strict=True)}
    logits = weighted_sum({name: each.logits for name, each in scores.items()}, weights)
    labels = next(iter(scores.values())).labels
    distance = sum((len(parts) * part - total) ** 2 for part in parts)
    # Rounded, so that the last bits of float32 sums do not decide between weights.
    loss = round(cross_entropy(logits, labels), 6)
    return -top_k_right(logits, labels, 1), loss, distance, parts
