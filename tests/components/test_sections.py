from __future__ import annotations

import pytest

from components.sections import (
    preparation_from_json,
    preparation_to_json,
    skeleton_from_json,
    skeleton_to_json,
    splits_from_json,
    splits_to_json,
)
from frhead_core.config import Preparation, benchmark_names, load_recipe
from frhead_core.skeleton_layout import SkeletonLayout


@pytest.mark.parametrize("name", benchmark_names())
def test_sections_survive_the_journey(name: str) -> None:
    recipe = load_recipe(name)

    assert preparation_from_json(preparation_to_json(recipe.preparation)) == recipe.preparation
    assert splits_from_json(splits_to_json({name: recipe.split})) == {name: recipe.split}
    assert skeleton_from_json(skeleton_to_json(recipe.skeleton)) == recipe.skeleton


def test_so_does_a_layout_of_ones_own() -> None:
    bones = (("head", "hip"), ("hand", "head"))
    mirrored = (("head", "hand"),)
    layout = SkeletonLayout("stick", ("hip", "head", "hand"), bones, "hip", "head", mirrored)
    assert skeleton_from_json(skeleton_to_json(layout)) == layout


def test_equal_settings_give_equal_texts() -> None:
    one, other = load_recipe("ntu60-xsub").split, load_recipe("ntu60-xview").split

    assert splits_to_json({"a": one, "b": other}) == splits_to_json({"b": other, "a": one})
    assert preparation_to_json(Preparation(max_quarantined_share=0)) == preparation_to_json(
        Preparation(max_quarantined_share=0.0)
    )
