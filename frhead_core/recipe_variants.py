"""Other ways to train a benchmark than the published one, as the settings that differ.

``reference`` is the recipe itself: the settings recorded for the published runs. Any other variant
is a folder beside the recipes, with a file for each benchmark that it has been worked out for.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from frhead_core.config import Recipe, override
from frhead_core.errors import RecipeError

REFERENCE = "reference"
_FOLDER = Path(__file__).parent / "benchmarks"


def variant_names(benchmark: str) -> tuple[str, ...]:
    """The variants of a benchmark, the published one first."""
    others = (path.parent.name for path in _FOLDER.glob(f"*/{benchmark}.yaml"))
    return (REFERENCE, *sorted(others))


def recipe_beside(file: Path, benchmark: str) -> str | Path:
    """A benchmark's name, or the place of a recipe as seen from a file that mentions it."""
    return file.parent / benchmark if benchmark.endswith((".yaml", ".yml")) else benchmark


def as_variant(recipe: Recipe, variant: str) -> Recipe:
    """A recipe with the settings of one of its variants.

    Raises:
        RecipeError: If there is no such variant for the recipe's benchmark.
    """
    known = variant_names(recipe.name)
    if variant not in known:
        raise RecipeError(
            f"there is no such recipe for {recipe.name}",
            field="recipe",
            found=variant,
            expected="one of " + ", ".join(known),
        )
    if variant == REFERENCE:
        return recipe
    text = (_FOLDER / variant / f"{recipe.name}.yaml").read_text(encoding="utf-8")
    # What is recorded for other backbones belongs to the published recipe, its epochs above all.
    return override(recipe, {"backbones": {}}, yaml.safe_load(text))
