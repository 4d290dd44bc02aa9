"""A model that is given instead of training one: checked, and taken over as it is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from frhead_core.config import Modality, Recipe, Split
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter
from frhead_core.training.artifact import ModelArtifact, write_artifact

_MUST_FIT = ("dataset", "skeleton", "classes", "split")


def open_given(directory: Path, recipe: Recipe, modality: Modality) -> ModelArtifact:
    """Open a given model, all weights included, and refuse one that is for something else.

    How it was trained is its own affair; what it sees and what it tells apart is not.

    Args:
        directory: The model.
        recipe: The benchmark that it is to be evaluated on.
        modality: What it must have been trained on.

    Raises:
        InputError: If it cannot be read, its weights are not those of its recipe's model, or its
            modality, benchmark, dataset, skeleton, classes or split is another.
    """
    model = ModelArtifact.open(directory)
    facts = [("modality", model.modality, modality), ("benchmark", model.recipe.name, recipe.name)]
    facts += [(name, _text(model.recipe, name), _text(recipe, name)) for name in _MUST_FIT]
    for field, found, expected in facts:
        if found != expected:
            raise InputError(
                f"the given model is for another {field}",
                file=directory,
                field=field,
                found=found,
                expected=expected,
            )
    for which in model.kept_weights():
        model.load(which)
    return model


def adopt_model(
    directory: Path,
    digest: str,
    recipe: Recipe,
    modality: Modality,
    output: Path,
    reporter: Reporter = SILENT,
) -> ModelArtifact:
    """Write a given model as the model of a run; its metadata then say that it was given.

    Args:
        directory: The model.
        digest: What :meth:`ModelArtifact.content_digest` said of it when the run was started.
        recipe: The benchmark that it is to be evaluated on.
        modality: What it must have been trained on.
        output: The model directory to make.
        reporter: Told what was done.

    Raises:
        InputError: If it does not fit (see :func:`open_given`), or is not the same any more.
    """
    given = open_given(directory, recipe, modality)
    found = given.content_digest()
    if found != digest:
        raise InputError(
            "the given model has changed since the run was started",
            file=directory,
            found=f"SHA-256 {found}",
            expected=digest,
            hint="Start the run again",
        )
    samples = given.training_samples()
    write_artifact(
        output,
        recipe=given.recipe,
        modality=modality,
        weights={which: given.weights(which) for which in given.kept_weights()},
        metadata=given.metadata | {"given": f"SHA-256 {digest}"},
        history=given.history(),
        training_samples=None if samples is None else sorted(samples),
    )
    reporter.message(f"nothing is trained: the model was given, SHA-256 {digest}")
    return ModelArtifact.open(output)


def _text(recipe: Recipe, name: str) -> str:
    value = getattr(recipe, name)
    return str(dataclasses.asdict(value) if isinstance(value, Split) else value)
