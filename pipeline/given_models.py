"""Models that a run evaluates instead of training them, checked before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from components.given_models import model_directory
from frhead_core.config import Modality, Recipe
from frhead_core.errors import InputError
from frhead_core.evaluation.run_results import setting_that_differs
from frhead_core.files import has_scheme
from frhead_core.progress import SILENT, Reporter
from frhead_core.training.given_model import open_given
from pipeline.arguments import GivenModel

Trained = tuple[str, Recipe, Modality]
"""Who, trained by which recipe, on which modality."""


def given_models(
    places: Mapping[Modality, str],
    recipe: Recipe,
    modalities: Sequence[Modality],
    reporter: Reporter = SILENT,
) -> dict[Modality, GivenModel]:
    """Open the given models and refuse what the steps or the report would refuse later.

    Args:
        places: Models by modality: directories, or ``s3://`` URIs.
        recipe: The benchmark.
        modalities: All of the run; those without a given model are trained by the recipe.
        reporter: Told how far the copying from object storage is.

    Raises:
        InputError: If a model is not wanted, cannot be read, is for something else, or the models
            would not all be trained by the same recipe, as one report demands.
    """
    idle = [name for name in places if name not in modalities]
    if idle:
        raise InputError(
            "weights are given for a modality that is not run",
            field="--weights",
            found=", ".join(idle),
            expected=", ".join(modalities),
        )
    given: dict[Modality, GivenModel] = {}
    trained: list[Trained] = [
        ("this run", recipe, name) for name in modalities if name not in places
    ]
    for modality, place in places.items():
        resolved = place if has_scheme(place) else str(Path(place).resolve())
        with model_directory(resolved, reporter) as directory:
            model = open_given(directory, recipe, modality)
            given[modality] = GivenModel(resolved, model.content_digest())
        trained.append((place, model.recipe, modality))
    _refuse_different_recipes(trained)
    return given


def refuse_folders(places: Mapping[Modality, str]) -> None:
    """Refuse models for a cluster that lie on this machine.

    Raises:
        InputError: If there is one.
    """
    for place in places.values():
        if not has_scheme(place):
            raise InputError(
                "is a folder of this machine, which the pods of a cluster do not see",
                field="--weights",
                found=place,
                expected="s3://bucket/prefix",
                hint=f"Send it there: frhead data push {place} s3://...",
            )


def _refuse_different_recipes(trained: Sequence[Trained]) -> None:
    first, *others = trained
    for other in others:
        difference = setting_that_differs(first[1:], other[1:])
        if difference is not None:
            key, expected, found = difference
            raise InputError(
                f"the given model was trained by another recipe than {first[0]}",
                file=other[0],
                field=key,
                found=found,
                expected=expected,
                hint="Evaluate it in a run of its own",
            )
