from __future__ import annotations

import pytest
from click.testing import CliRunner

from frhead_core.errors import FRHeadError
from pipeline import options
from pipeline.commands.ensemble import command as ensemble
from pipeline.commands.prepare import command as prepare
from pipeline.options import by_modality, chosen_modalities, chosen_recipe


def test_options_change_the_recipe_and_set_comes_last() -> None:
    recipe = chosen_recipe(
        "nw-ucla",
        epochs=2,
        seed=5,
        precision="bfloat16",
        backbone="ctrgcn",
        hold_out_validation=True,
        settings=["training.seed=6", "head.version=V1"],
    )

    assert vars(recipe.training.epochs) | {} == dict.fromkeys(vars(recipe.training.epochs), 2)
    assert recipe.training.seed == 6
    assert recipe.training.precision == "bfloat16"
    assert recipe.training.hold_out_validation
    assert recipe.head.version == "V1"


def test_options_that_are_not_given_change_nothing() -> None:
    assert chosen_recipe("nw-ucla") == chosen_recipe("nw-ucla", settings=[])
    assert not chosen_recipe("nw-ucla").training.hold_out_validation


def test_settings_of_the_recipe_are_told_from_those_of_the_run() -> None:
    given = {"raw": "raw.zip", "epochs": 2, "threads": 1, "settings": (), "output": None}

    how, changes = options.apart(given)

    assert how == {"raw": "raw.zip", "threads": 1, "output": None}
    assert changes == {"epochs": 2, "settings": ()}


@pytest.mark.parametrize(
    ("backbone", "settings"), [("tcagcn", []), (None, ["model.backbone=tcagcn"])]
)
def test_a_backbone_brings_its_settings_and_options_change_them(
    backbone: str | None, settings: list[str]
) -> None:
    recipe = chosen_recipe("nw-ucla", backbone=backbone, settings=settings)
    assert recipe.training.epochs.joint == 75
    recipe = chosen_recipe("nw-ucla", epochs=2, backbone=backbone, settings=settings)
    assert recipe.model.backbone == "tcagcn"
    assert recipe.training.epochs.joint == 2


def test_modalities_come_in_one_order_and_once() -> None:
    assert chosen_modalities("bone, joint,bone") == ["joint", "bone"]
    assert len(chosen_modalities(None)) == 4
    with pytest.raises(FRHeadError, match="elbow"):
        chosen_modalities("joint,elbow")


def test_assignments_by_modality_refuse_doubles_and_strangers() -> None:
    assert list(by_modality([("bone", "b"), ("joint", "j")]).items()) == [
        ("joint", "j"),
        ("bone", "b"),
    ]
    with pytest.raises(FRHeadError, match="given twice"):
        by_modality([("bone", "b"), ("bone", "c")])
    with pytest.raises(FRHeadError, match="elbow"):
        by_modality([("elbow", "b")])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scores", "joint=a", "bone=b", "--benchmark", "nw-ucla"],
        ["--benchmark", "nw-ucla", "--scores", "joint=a", "--scores", "bone=b"],
        ["--scores=joint=a", "--scores", "bone=b", "--benchmark", "nw-ucla"],
    ],
)
def test_an_option_takes_several_assignments(arguments: list[str]) -> None:
    with ensemble.make_context("ensemble", list(arguments)) as context:
        assert context.params["scores"] == (("joint", "a"), ("bone", "b"))
        assert context.params["weights"] == ()


@pytest.mark.parametrize("value", ["joint", "joint="])
def test_something_else_than_an_assignment_is_refused(value: str) -> None:
    result = CliRunner().invoke(ensemble, ["--benchmark", "nw-ucla", "--scores", value])

    assert result.exit_code == 2
    assert "modality=value" in result.output


def test_values_after_an_option_of_another_kind_stay_where_they_are() -> None:
    assert options._repeated(["--output", "x=1", "y=2"], {"--scores"}) == ["--output", "x=1", "y=2"]


def test_preparation_takes_no_options_that_mean_nothing_to_it() -> None:
    names = {name for parameter in prepare.params for name in parameter.opts}

    assert names == {"benchmark", "--set", "--raw", "--output"}
