from __future__ import annotations

import pytest

from frhead_core.config import MODALITIES, load_recipe, override
from pipeline.arguments import pipeline_arguments, splits_of_store


def test_benchmarks_that_are_prepared_alike_share_a_store() -> None:
    assert set(splits_of_store(load_recipe("ntu60-xsub"))) == {"ntu60-xsub", "ntu60-xview"}
    assert set(splits_of_store(load_recipe("nw-ucla"))) == {"nw-ucla"}
    whole = {"ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset", "ntu120-oneshot"}
    larger = load_recipe("ntu120-xset")
    assert set(splits_of_store(larger)) == whole
    assert set(splits_of_store(override(larger, ["preparation.official_list=false"]))) == whole
    assert set(splits_of_store(load_recipe("demo"))) == {"demo"}


def test_a_recipe_of_ones_own_brings_its_own_split() -> None:
    mine = override(load_recipe("nw-ucla"), {"split.train": [1], "split.test": [2, 3],
                                             "validation.values": [1]})  # fmt: skip

    assert splits_of_store(mine) == {"nw-ucla": mine.split}


def test_recordings_need_not_fit_the_splits_of_other_benchmarks() -> None:
    mine = override(load_recipe("demo"), {"name": "mine", "split.test": [3, 4]})

    assert splits_of_store(mine) == {"mine": mine.split}


@pytest.mark.parametrize(
    ("setting", "fields"),
    [
        ("title=Other", {"recipe"}),
        ("ensemble.joint=0.9", {"recipe"}),
        ("published.joint=99", {"recipe"}),
        ("training.seed=7", {"recipe", "trainings"}),
        ("training.precision=bfloat16", {"recipe", "trainings"}),
        ("model.base_channels=32", {"recipe", "trainings"}),
        ("preparation.official_list=false", {"recipe", "preparation"}),
        ("split.test=[3, 4]", {"recipe", "trainings", "splits"}),
    ],
)
def test_a_setting_reaches_the_steps_that_depend_on_it(setting: str, fields: set[str]) -> None:
    recipe = load_recipe("nw-ucla")
    before = vars(pipeline_arguments(recipe, MODALITIES))
    after = vars(pipeline_arguments(override(recipe, [setting]), MODALITIES))

    assert {name for name in before if before[name] != after[name]} == fields


def test_another_layout_is_read_and_trained_again() -> None:
    layout = {"name": "stick", "joints": ["hip", "head"], "bones": [["head", "hip"]], "root": "hip"}
    settings = {"dataset": "own", "skeleton": layout | {"center": "hip"}}
    one = override(load_recipe("nw-ucla"), settings)
    other = override(one, ["skeleton.center=head"])
    before, after = (vars(pipeline_arguments(each, MODALITIES)) for each in (one, other))

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"skeleton", "recipe", "trainings"}
    assert splits_of_store(one) == {"nw-ucla": one.split}


def test_epochs_of_one_modality_concern_that_one_alone() -> None:
    recipe = load_recipe("nw-ucla")
    before = pipeline_arguments(recipe, MODALITIES).trainings
    after = pipeline_arguments(override(recipe, ["training.epochs.bone=3"]), MODALITIES).trainings

    differing = [one["modality"] for one, other in zip(before, after, strict=True) if one != other]
    assert differing == ["bone"]
