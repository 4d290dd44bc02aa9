"""What the outputs of a model are called."""

from __future__ import annotations

from frhead_core.data.registry import find_dataset
from frhead_core.errors import InputError
from frhead_core.training.artifact import ModelArtifact


def class_names(model: ModelArtifact) -> tuple[str, ...]:
    """Names of a model's classes by index: its own, or where it has none those of its dataset.

    Raises:
        InputError: If there are not as many as the model has classes.
    """
    named = model.metadata.get("classes") or find_dataset(model.recipe.dataset).classes
    names = tuple(map(str, named))
    wanted = model.recipe.classes
    # A recipe for the first classes of a dataset needs no names of its own.
    if len(names) < wanted or ("classes" in model.metadata and len(names) > wanted):
        raise InputError(
            "the classes and their names differ in number",
            file=model.directory / "metadata.json",
            field="classes",
            found=len(names),
            expected=wanted,
        )
    return names[:wanted]
