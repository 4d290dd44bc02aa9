from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from frhead_core.config import (
    MODALITIES,
    BackboneSettings,
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
from frhead_core.skeleton_layout import SkeletonLayout

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
        (
            "split.test=[2.5]",
            r"split\.test\.0: input should be a whole number or a text; found 2\.5",
        ),
        ("split.test=[true]", r"split\.test\.0: input should be a whole number or a text; found T"),
        ("split.test=[x]", r"split\.test\.0: the values of camera are whole numbers; found 'x'"),
        ("split.column=part", r"split\.train\.0: the values of part are texts; found 1"),
        ("validation.values=[a]", r"validation\.values\.0: the values of camera are whole numbers"),
        ("skeleton=[1]", r"skeleton: is no joint layout; found \[1\]; expected the name of one"),
        ("skeleton=none.yaml", r"none\.yaml: cannot be read"),
        ("skeleton={name: x}", r"skeleton\.joints: is missing"),
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
        (
            "model.backbone=ctrgnc",
            r"model\.backbone: unknown backbone; found ctrgnc; expected one of aagcn, ctrgcn, "
            r"stgcn, tcagcn\. Did you mean ctrgcn\?",
        ),
        ("model.backbone=[ctrgcn]", r"model\.backbone.*valid string"),
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


def test_backbones_are_known_without_loading_torch() -> None:
    program = (
        "import sys; from frhead_core.config import load_recipe, override;"
        "override(load_recipe('nw-ucla'), ['model.backbone=tcagcn']);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_settings_recorded_for_another_backbone() -> None:
    recipe = load_recipe("nw-ucla")
    for changed in (
        override(recipe, {"model.backbone": "tcagcn"}),
        override(recipe, ["model.backbone=tcagcn"]),
    ):
        assert set(vars(changed.training.epochs).values()) == {75}
        assert changed.training.milestones == recipe.training.milestones
        assert changed.published is None
        assert changed.backbones == {}
    plain = override(recipe, {"model.backbone": "stgcn"})
    assert plain.training == recipe.training
    assert plain.published is None
    assert override(recipe, {"model.backbone": "ctrgcn"}) == recipe


def test_other_changes_come_after_those_for_the_backbone() -> None:
    recipe = load_recipe("nw-ucla")
    first = {"training.epochs": 2}
    changed = override(recipe, first, ["model.backbone=tcagcn", "training.epochs.bone=3"])
    assert changed.training.epochs.joint == 2
    assert changed.training.epochs.bone == 3


def test_every_setting_for_a_backbone_takes_effect(tmp_path: Path) -> None:
    own = {
        "epochs": dict.fromkeys(MODALITIES, 9),
        "batch_size": 7,
        "weight_decay": 0.5,
        "milestones": [3],
        "learning_rate": 0.25,
        "published": dict.fromkeys((*MODALITIES, "ensemble"), 50.0),
    }
    assert own.keys() == {field.name for field in dataclasses.fields(BackboneSettings)}
    path = changed_file(tmp_path, lambda data: data["backbones"].update(stgcn=own))
    changed = json.loads(recipe_to_json(override(load_recipe(path), {"model.backbone": "stgcn"})))
    assert changed["published"] == own.pop("published")
    assert {key: changed["training"][key] for key in own} == own


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            {"tcagcn": {"epoch": 2}},
            r"backbones\.tcagcn\.epoch: unknown key\. Did you mean epochs\?",
        ),
        ({"tcagcn": {"batch_size": 0}}, r"backbones\.tcagcn\.batch_size: .*greater than 0"),
        ({"tcagnc": {"batch_size": 8}}, r"backbones\.tcagnc: unknown backbone; found tcagnc"),
        ({"ctrgcn": {"batch_size": 8}}, r"backbones\.ctrgcn is about the recipe's own backbone"),
    ],
)
def test_bad_settings_for_a_backbone_are_refused_by_name(
    own: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = changed_file(tmp_path, lambda data: data.update(backbones=own))
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


def test_a_batch_that_a_backbone_cannot_train_on_is_refused() -> None:
    recipe = override(load_recipe("nw-ucla"), {"training.batch_size": 1})
    with pytest.raises(
        RecipeError, match=r"batch_size times loader.persons is 1; tcagcn .* needs 2"
    ):
        override(recipe, {"model.backbone": "tcagcn"})
    two_bodies = override(load_recipe("ntu60-xsub"), {"training.batch_size": 1})
    override(two_bodies, {"model.backbone": "tcagcn"})


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
        {
            "head.inferred": [],
            "validation.values": [2],
            "preparation.max_quarantined_share": 0.5,
            "backbones": {"stgcn": {"batch_size": 8}},
        },
    )
    assert reduced(unused) == reduced(recipe)
    held_out = override(recipe, {"training.hold_out_validation": True})
    assert reduced(override(held_out, {"validation.values": [2]})) != reduced(held_out)
    assert reduced(override(recipe, {"training.seed": 7})) != reduced(recipe)
    corrected = override(recipe, {"preparation.compatibility": "corrected"})
    assert reduced(corrected).preparation.compatibility == "corrected"
    assert recipe.for_training("bone") != recipe.for_training("joint")  # 70 and 80 epochs


LAYOUT = """\
name: stick
joints: [hip, head]
bones:
  - [head, hip]
root: hip
center: hip
"""


def test_a_layout_of_ones_own_becomes_a_part_of_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "stick.yaml").write_text(LAYOUT)
    path = changed_file(tmp_path, lambda data: data.update(skeleton="stick.yaml", dataset="own"))
    recipe = load_recipe(path)
    (tmp_path / "stick.yaml").unlink()

    assert isinstance(recipe.skeleton, SkeletonLayout)
    assert recipe.skeleton.bones == (("head", "hip"),)
    assert recipe_from_json(recipe_to_json(recipe)) == recipe
    (tmp_path / "copy.yaml").write_text(recipe_to_yaml(recipe))
    assert load_recipe(tmp_path / "copy.yaml") == recipe
    other = override(recipe, ["skeleton.center=head"])
    assert other.for_training("joint") != recipe.for_training("joint")


def test_what_is_wrong_with_a_layout_is_named_where_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "stick.yaml").write_text(LAYOUT.replace("root: hip", "root: toe"))
    path = changed_file(tmp_path, lambda data: data.update(skeleton="stick.yaml"))
    with pytest.raises(RecipeError, match=r"stick\.yaml:5: root: 'toe' is none of the joints"):
        load_recipe(path)
    layout = yaml.safe_load(LAYOUT) | {"bones": [["head", "toe"]]}
    path = changed_file(tmp_path, lambda data: data.update(skeleton=layout))
    with pytest.raises(RecipeError, match=r"own\.yaml:\d+: skeleton\.bones\.0: 'toe' is none"):
        load_recipe(path)


def test_a_head_takes_so_many_joints(tmp_path: Path) -> None:
    joints = [f"j{number}" for number in range(300)]
    layout = {
        "name": "long",
        "joints": joints,
        "bones": [[child, parent] for parent, child in pairwise(joints)],
        "root": "j0",
        "center": "j0",
    }
    recipe = load_recipe("nw-ucla")
    with pytest.raises(RecipeError, match="300 joints; FR-Head takes up to 256"):
        override(recipe, {"skeleton": layout})
    assert override(recipe, {"skeleton": layout, "head.enabled": False})
