"""What the outputs of a model are called."""

from __future__ import annotations

from frhead_core.data.class_map import ClassMap
from frhead_core.data.registry import find_dataset
from frhead_core.errors import InputError
from frhead_core.training.artifact import ModelArtifact


def class_names(model: ModelArtifact) -> tuple[str, ...]:
    """Names of a model's classes by index: its own, or where it has none those of its dataset.

    Of recordings of one's own only a trained model knows the names; with imported weights their
    numbers stand for them.

    Raises:
        InputError: If there are not as many as the model has classes.
    """
    names = tuple(map(str, model.metadata.get("classes") or _of_dataset(model)))
    wanted = model.recipe.classes
    if len(names) != wanted:
        raise InputError(
            "the classes and their names differ in number",
            file=model.directory / "metadata.json",
            field="classes",
            found=len(names),
            expected=wanted,
        )
    return names


def _of_dataset(model: ModelArtifact) -> tuple[str, ...]:
    """Names that the dataset has for what the model was trained on; all if those are too few."""
    every, labels = find_dataset(model.recipe.dataset).classes, model.recipe.trained_labels
    if not every:
        return tuple(map(str, labels))
    return ClassMap(labels).names(every) if max(labels) < len(every) else every
