from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from frhead_core.config import (
    MODALITIES,
    NTULoader,
    Recipe,
    benchmark_names,
    check_modality,
    load_recipe,
    override,
    recipe_from_json,
    recipe_to_json,
    recipe_to_yaml,
)
from frhead_core.errors import RecipeError

PUBLISHED = ("nw-ucla", "ntu60-xsub", "ntu60-xview", "ntu120-xsub", "ntu120-xset")


@pytest.mark.parametrize("name", benchmark_names())
def test_every_recipe_survives_json_and_yaml(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe_from_json(recipe_to_json(recipe)) == recipe
    (tmp_path / "copy.yaml").write_text(recipe_to_yaml(recipe))
    assert load_recipe(tmp_path / "copy.yaml") == recipe


def test_settings_recorded_with_the_published_runs() -> None:
    recipes = {name: load_recipe(name) for name in PUBLISHED}
    epochs = {n: [getattr(r.training.epochs, m) for m in MODALITIES] for n, r in recipes.items()}
    assert epochs == {
        "nw-ucla": [65, 65, 65, 65],
        "ntu60-xsub": [80, 80, 80, 80],
        "ntu60-xview": [80, 70, 80, 70],
        "ntu120-xsub": [80, 80, 80, 80],
        "ntu120-xset": [70, 70, 70, 70],
    }
    versions = {name: recipe.head.version for name, recipe in recipes.items()}
    assert versions == {"nw-ucla": "V0", "ntu60-xsub": "V0"} | dict.fromkeys(
        ("ntu60-xview", "ntu120-xsub", "ntu120-xset"), "V1"
    )
    inferred = {name for name, recipe in recipes.items() if "version" in recipe.head.inferred}
    assert inferred == {"nw-ucla", "ntu60-xsub"}
    outputs = {name: recipe.outputs for name, recipe in recipes.items()}
    assert outputs == {"nw-ucla": 10} | dict.fromkeys(PUBLISHED[1:], 120)
    bodies = {n: r.loader.lone_body for n, r in recipes.items() if isinstance(r.loader, NTULoader)}
    assert bodies["ntu60-xsub"] == "zeros" and bodies["ntu120-xset"] == "repeat"


def test_published_accuracies_and_weights() -> None:
    ensembles = {}
    for name in PUBLISHED:
        recipe = load_recipe(name)
        assert recipe.published is not None and recipe.ensemble is not None
        ensembles[name] = recipe.published.ensemble
    assert ensembles == {
        "nw-ucla": 96.77,
        "ntu60-xsub": 92.80,
        "ntu60-xview": 96.78,
        "ntu120-xsub": 89.52,
        "ntu120-xset": 90.94,
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.epoch=2", "training.epoch: unknown setting. Did you mean training.epochs?"),
        ("training.seed=-1", "training.seed.*greater than or equal to 0; found -1"),
        ("training.precision=float16", "training.precision.*'float32' or 'bfloat16'"),
        ("head.version=v0", "head.version: input should be 'V0', 'V1'.*found 'v0'"),
        ("loader.window=50", "loader.window is 50.*multiple of 4"),
        ("validation.values=[3]", "only training recordings can be held out"),
        ("split.test=[2,3]", r"split.*camera \[2\] is in both train and test"),
        ("model.reference_outputs=5", "fewer than the 10 classes"),
        ("training.learning_rate=.nan", "training.learning_rate.*finite"),
        ('training.batch_size="16"', "training.batch_size.*valid integer; found '16'"),
        ("training.batch_size=16.0", "training.batch_size.*valid integer; found 16.0"),
        ("training.nesterov=1", "training.nesterov.*valid boolean"),
        ("training.seed=true", "training.seed.*valid integer; found True"),
        ("training.seed=9223372036854775808", "training.seed.*less than 9223372036854775808"),
        ("training.momentum=0", "nesterov needs a momentum above 0"),
        ("loader.window=260", "loader.window is 260.*up to 256"),
        ("loader.persons=2", "loader.persons: input should be 1; found 2"),
        ("training.batch_size", "not a setting.*expected key=value"),
        ("training.batch_size=[", "training.batch_size.*not valid YAML"),
    ],
)
def test_bad_settings_are_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        override(load_recipe("nw-ucla"), [setting])


def changed_file(folder: Path, change: Any) -> Path:
    data = yaml.safe_load(recipe_to_yaml(load_recipe("nw-ucla")))
    change(data)
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def test_an_unknown_key_names_file_line_and_the_nearest(tmp_path: Path) -> None:
    def misspell(data: dict[str, Any]) -> None:
        data["training"]["warmup_epochs"] = data["training"].pop("warm_up_epochs")

    path = changed_file(tmp_path, misspell)
    line = next(n for n, t in enumerate(path.read_text().splitlines(), 1) if "warmup_epochs" in t)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    expected = f"{path}:{line}: training.warmup_epochs: unknown key. Did you mean warm_up_epochs?"
    assert str(caught.value) == expected


def test_a_key_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = changed_file(tmp_path, lambda data: None)
    path.write_text(path.read_text() + "classes: 11\n")
    with pytest.raises(RecipeError, match=r"own\.yaml:\d+: classes: is there twice, first in line"):
        load_recipe(path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = changed_file(tmp_path, lambda data: data["loader"].pop("scale"))
    with pytest.raises(RecipeError, match=r"own\.yaml:\d+: loader\.scale: is missing"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not valid YAML"), ("- 1", "is not a recipe; found list"), ("", "found NoneType")],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(path)


def test_unknown_benchmarks_files_and_modalities() -> None:
    with pytest.raises(RecipeError, match="found ntu61; expected one of demo, demo-nw-ucla, "):
        load_recipe("ntu61")
    with pytest.raises(RecipeError, match=r"nowhere\.yaml: cannot be read"):
        load_recipe("nowhere.yaml")
    with pytest.raises(RecipeError, match="found bones; expected one of joint, bone"):
        check_modality("bones")


def test_for_training_drops_what_training_does_not_depend_on() -> None:
    recipe = load_recipe("ntu60-xview")

    def reduced(changed: Recipe) -> Recipe:
        return changed.for_training("joint")

    same = override(
        recipe,
        {
            "ensemble.bone": 9.0,
            "training.epochs": {"joint": 80, "bone": 1, "joint_motion": 1, "bone_motion": 1},
            "title": "another",
        },
    )
    assert reduced(same) == reduced(recipe)
    unused = override(
        recipe,
        {"head.inferred": [], "validation.values": [2], "preparation.max_quarantined_share": 0.5},
    )
    assert reduced(unused) == reduced(recipe)
    held_out = override(recipe, {"training.hold_out_validation": True})
    assert reduced(override(held_out, {"validation.values": [2]})) != reduced(held_out)
    assert reduced(override(recipe, {"training.seed": 7})) != reduced(recipe)
    corrected = override(recipe, {"preparation.compatibility": "corrected"})
    assert reduced(corrected).preparation.compatibility == "corrected"
    assert recipe.for_training("bone") != recipe.for_training("joint")  # 70 and 80 epochs
