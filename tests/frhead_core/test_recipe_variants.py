from __future__ import annotations

import pytest

from frhead_core.backbones import BACKBONES
from frhead_core.config import benchmark_names, load_recipe, override
from frhead_core.errors import RecipeError
from frhead_core.recipe_variants import REFERENCE, as_variant, variant_names


@pytest.mark.parametrize("benchmark", benchmark_names())
def test_every_variant_of_every_benchmark_is_valid_and_changes_only_training(
    benchmark: str,
) -> None:
    recipe = load_recipe(benchmark)
    assert as_variant(recipe, REFERENCE) == recipe
    for name in variant_names(benchmark)[1:]:
        variant = as_variant(recipe, name)
        assert variant != recipe
        assert (variant.split, variant.head, variant.model) == (
            recipe.split,
            recipe.head,
            recipe.model,
        )


def test_fast_is_shorter_by_far() -> None:
    recipe = load_recipe("nw-ucla")
    fast = as_variant(recipe, "fast")
    assert fast.training.epochs.joint * 4 < recipe.training.epochs.joint
    assert fast.training.schedule == "one_cycle"


def test_fast_is_as_short_with_any_backbone() -> None:
    fast = as_variant(load_recipe("nw-ucla"), "fast")
    for backbone in BACKBONES:
        assert override(fast, {"model.backbone": backbone}).training == fast.training


def test_a_variant_that_there_is_not() -> None:
    with pytest.raises(RecipeError, match=r"ntu60-xsub.*found fast; expected one of reference"):
        as_variant(load_recipe("ntu60-xsub"), "fast")
