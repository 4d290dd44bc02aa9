from __future__ import annotations

from pathlib import Path

import pytest

from frhead_core.config import load_recipe, override
from frhead_core.errors import RecipeError
from pipeline.plans import Plan, Variant, ablation_plan, combinations, seeds_plan, variant
from pipeline.sweep_file import read_sweep

RECIPE = load_recipe("demo-nw-ucla")


def test_an_ablation_has_every_version_of_the_head_against_none() -> None:
    names = ["no-head", "v0", "V1", "V2", "no fn", "NO FP", "no-fn-fp"]

    plan = ablation_plan(RECIPE, names, (1, 2), ["joint"])

    assert [each.name for each in plan.variants] == [
        *("no head", "V0", "V1", "V2", "NO FN", "NO FP", "NO FN & FP"),
    ]
    assert plan.baseline == "no head"
    assert not plan.variants[0].recipe.head.enabled
    for each in plan.variants[1:]:
        assert each.recipe.head.enabled
        assert each.recipe.head.version == each.name
        assert override(each.recipe, {"head.version": "V0"}) == RECIPE
    assert list(plan.folders.values()) == [
        *("no-head", "v0", "v1", "v2", "no-fn", "no-fp", "no-fn-fp"),
    ]
    without = ablation_plan(RECIPE, ["V1", "V0"], None, ["joint"])
    assert (without.baseline, without.seeds) == ("V1", (RECIPE.training.seed,))


def test_seeds_are_one_variant_in_one_folder() -> None:
    plan = seeds_plan(RECIPE, (3, 1), ["joint", "bone"])

    assert plan.seeds == (3, 1)
    assert plan.variants == (Variant("demo-nw-ucla", {}, RECIPE),)
    assert plan.folders == {"demo-nw-ucla": "."}
    assert plan.baseline is None


@pytest.mark.parametrize(
    ("versions", "seeds", "message"),
    [
        (["V9"], (1,), "no such version of the head; found V9; expected one of no head, V0"),
        (["V0"], (2**63,), r"training\.seed: .*found 9223372036854775808"),
        (["V0"], (1, 2, 1), "seeds: at least one, and each once; found 1 twice"),
        (["V0", "v0"], (1,), "variants: at least one, and each once; found V0 twice"),
    ],
)
def test_what_is_no_experiment_is_refused(
    versions: list[str], seeds: tuple[int, ...], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        ablation_plan(RECIPE, versions, seeds, ["joint"])


def test_a_grid_is_every_combination_named_by_what_it_changes() -> None:
    found = combinations({"training.learning_rate": [0.1, 0.2], "head.version": ["V0", "NO FN"]})

    assert found == {
        "learning_rate=0.1, version=V0": {"training.learning_rate": 0.1, "head.version": "V0"},
        "learning_rate=0.1, version=NO FN": {
            "training.learning_rate": 0.1,
            "head.version": "NO FN",
        },
        "learning_rate=0.2, version=V0": {"training.learning_rate": 0.2, "head.version": "V0"},
        "learning_rate=0.2, version=NO FN": {
            "training.learning_rate": 0.2,
            "head.version": "NO FN",
        },
    }
    same_last_word = combinations({"training.momentum": [0.9], "head.momentum": [0.8]})
    assert list(same_last_word) == ["training.momentum=0.9, head.momentum=0.8"]


def test_folders_are_plain_and_each_variants_own() -> None:
    names = ("a/b", "A B", "..", "milestones=[1, 2]")
    plan = Plan("x", "x", tuple(Variant(name, {}, RECIPE) for name in names), (1,), ("joint",))

    assert list(plan.folders.values()) == ["a-b", "a-b~2", "variant", "milestones=-1-2"]


def test_the_mark_follows_everything_that_decides_the_results() -> None:
    plan = seeds_plan(RECIPE, (1, 2), ["joint"])
    others = [
        seeds_plan(RECIPE, (1, 2, 3), ["joint"]),
        seeds_plan(RECIPE, (1, 2), ["bone"]),
        seeds_plan(override(RECIPE, {"training.epochs": 9}), (1, 2), ["joint"]),
    ]

    assert plan.mark == seeds_plan(RECIPE, (1, 2), ["joint"]).mark
    assert plan.mark not in {other.mark for other in others}


def test_a_variant_does_not_change_the_seed() -> None:
    with pytest.raises(RecipeError, match=r"training\.seed: seeds are not settings"):
        variant(RECIPE, "x", {"training.seed": 3})


SWEEP = """\
benchmark: demo-nw-ucla
modalities: [bone, joint]
seeds: [1, 2]
settings:
  training.epochs: 3
  training.hold_out_validation: true
grid:
  training.learning_rate: [0.05, 0.1]
  head.version: [V0, V1]
baseline: {training.learning_rate: 0.1, head.version: V0}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "sweep.yaml"
    file.write_text(text)
    return file


def test_a_sweep_is_read_with_all_its_parts(tmp_path: Path) -> None:
    plan = read_sweep(write(tmp_path, SWEEP))

    assert plan.seeds == (1, 2)
    assert plan.modalities == ("joint", "bone")
    assert len(plan.variants) == 4
    assert plan.baseline == "learning_rate=0.1, version=V0"
    for each in plan.variants:
        assert each.recipe.training.epochs.joint == 3
        assert each.recipe.training.hold_out_validation
        assert each.recipe.training.learning_rate == each.settings["training.learning_rate"]
        assert each.recipe.head.version == each.settings["head.version"]


def test_variants_can_be_named_and_a_recipe_lie_beside_the_sweep(tmp_path: Path) -> None:
    package = Path(__file__).parents[2] / "frhead_core" / "benchmarks"
    (tmp_path / "mine.yaml").write_text((package / "demo-nw-ucla.yaml").read_text())
    text = "benchmark: mine.yaml\nvariants:\n  plain: {head.enabled: false}\n  as it is: {}\n"

    plan = read_sweep(write(tmp_path, text))

    assert [each.name for each in plan.variants] == ["plain", "as it is"]
    assert plan.baseline == "plain"
    assert plan.seeds == (RECIPE.training.seed,)
    assert len(plan.modalities) == 4
    assert plan.variants[1].recipe == RECIPE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds:", "sedes:", r"sweep\.yaml:3: sedes: unknown key\. Did you mean seeds\?"),
        ("learning_rate: [", "learning_rat: [", r":8: .*Did you mean training\.learning_rate\?"),
        ("[0.05, 0.1]", "[0.05, -1]", r":8: training\.learning_rate: .*found -1"),
        ("[0.05, 0.1]", "[0.1, 0.1]", r"training\.learning_rate has a value twice"),
        ("[0.05, 0.1]", "[]", r":8: grid\.training\.learning_rate: .*at least 1 item"),
        ("[0.05, 0.1]", "0.05", r":8: grid\.training\.learning_rate"),
        ("training.epochs: 3", "training.seed: 3", r":5: training\.seed: seeds are not settings"),
        ("epochs: 3", "epochs: 0", r":5: training\.epochs\.joint: .*found 0"),
        ("demo-nw-ucla", "demo-ukla", r":1: benchmark: unknown benchmark; found demo-ukla"),
        ("[bone, joint]", "[elbow]", r":2: modalities\.0: .*found 'elbow'"),
        ("[1, 2]", "[1, 1]", "seeds: at least one, and each once; found 1 twice"),
        ("[1, 2]", "[1, -2]", r"seeds\.1: .*found -2"),
        ("version: V0}", "version: V2}", "baseline: is not exactly one of the variants; found 0"),
        (", head.version: V0}", "}", "found 2 variants with"),
        ("baseline: {", "variants: {x: {}}\nbaseline: {", "either a grid or variants"),
        ("grid:", "grid: [", "is not valid YAML"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_said_with_its_line(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    assert old in SWEEP
    with pytest.raises(RecipeError, match=message):
        read_sweep(write(tmp_path, SWEEP.replace(old, new, 1)))


def test_a_name_that_is_no_variant_is_refused_with_the_nearest(tmp_path: Path) -> None:
    text = "benchmark: demo\nvariants: {plain: {}, other: {head.version: V1}}\nbaseline: plane\n"
    with pytest.raises(RecipeError, match=r"baseline: .*found plane\. Did you mean plain\?"):
        read_sweep(write(tmp_path, text))
