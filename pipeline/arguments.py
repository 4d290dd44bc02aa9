"""From a recipe to the arguments of the pipeline: each step gets what its result depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from components.sections import (
    preparation_to_json,
    promotion_to_json,
    skeleton_to_json,
    splits_to_json,
)
from frhead_core.config import (
    Modality,
    Promotion,
    Recipe,
    Split,
    benchmark_names,
    load_recipe,
    recipe_to_json,
)
from frhead_core.data.subsets import datasets_within


@dataclass(frozen=True)
class PipelineArguments:
    """Arguments of the pipeline, but for the raw data.

    Attributes:
        dataset: Name of the dataset.
        skeleton: Name of the joint layout, or one of the user's own as JSON.
        preparation: Settings of the data steps, as JSON.
        splits: Splits that the sequence store holds, as JSON.
        trainings: For each modality its name, its training recipe as JSON, and place and digest of
            the model that is given instead of training one (empty texts to train).
        recipe: The recipe as JSON, for the ensemble and the report: all of it but the gate of the
            promotion, so that another gate repeats neither.
        gate: The gate of the promotion, as JSON.
    """

    dataset: str
    skeleton: str
    preparation: str
    splits: str
    trainings: list[dict[str, str]]
    recipe: str
    gate: str


@dataclass(frozen=True)
class GivenModel:
    """A model to evaluate without training.

    Attributes:
        directory: A directory, or ``s3://bucket/prefix``.
        digest: Of its contents.
    """

    directory: str
    digest: str


def pipeline_arguments(
    recipe: Recipe,
    modalities: Sequence[Modality],
    given: Mapping[Modality, GivenModel] = MappingProxyType({}),
) -> PipelineArguments:
    """The arguments for a recipe and some of its modalities; those with a model are not trained."""
    return PipelineArguments(
        dataset=recipe.dataset,
        skeleton=skeleton_to_json(recipe.skeleton),
        preparation=preparation_to_json(recipe.preparation),
        splits=splits_to_json(splits_of_store(recipe)),
        trainings=[_training(recipe, modality, given.get(modality)) for modality in modalities],
        recipe=recipe_to_json(dataclasses.replace(recipe, promotion=Promotion())),
        gate=promotion_to_json(recipe.promotion),
    )


def _training(recipe: Recipe, modality: Modality, given: GivenModel | None) -> dict[str, str]:
    return {
        "modality": modality,
        "recipe": recipe_to_json(recipe.for_training(modality)),
        "weights": given.directory if given else "",
        "weights_digest": given.digest if given else "",
    }


def splits_of_store(recipe: Recipe) -> dict[str, Split]:
    """The splits of all benchmarks that share one store with a recipe's.

    Those are the benchmarks of its dataset, or of a part of it, that come with the same
    preparation settings as the recipe does; what the user changes in these changes the whole store.
    A split of one's own comes alone: its recordings need not be in any part of the others.
    """
    known = {name: load_recipe(name) for name in benchmark_names()}
    preparation = known.get(recipe.name, recipe).preparation
    within = datasets_within(recipe.dataset)
    shared = {
        name: other.split
        for name, other in known.items()
        if other.dataset in within and other.preparation == preparation
    }
    return shared if shared.get(recipe.name) == recipe.split else {recipe.name: recipe.split}
