from __future__ import annotations

import dataclasses

from frhead_core.config import load_recipe
from frhead_core.evaluation.ensemble import EnsembleResult, combine, recipe_weights
from frhead_core.evaluation.tables import accuracy_table, difference_text, weights_text


def table_lines(text: str) -> dict[str, str]:
    return {line.split("  ")[0]: line for line in text.splitlines()}


def test_published_figures_stand_beside_the_epoch_best_on_test(four_scores, recipe):
    best = {
        name: dataclasses.replace(each, metadata={**each.metadata, "which": "best_on_test"})
        for name, each in four_scores.items()
    }
    lines = table_lines(accuracy_table(best, recipe))
    assert "94.40" in lines["joint"]
    assert "best epoch on test" in lines["joint"]
    right = int((best["joint"].logits.argmax(1) == best["joint"].labels).sum())
    assert f"{right} of 40" in lines["joint"]
    assert difference_text(100 * right / 40, 94.40) in lines["joint"]


def test_the_last_epoch_has_no_difference(four_scores, recipe):
    line = table_lines(accuracy_table(four_scores, recipe))["bone motion"]
    assert line.split()[-3:] == ["89.44", "last", "epoch"]


def test_a_missing_figure_or_epoch_leaves_its_column_empty(make_scores):
    text = accuracy_table({"bone": make_scores()}, load_recipe("demo-nw-ucla"))
    assert table_lines(text)["bone"].endswith("not stated")


def test_the_ensemble_says_where_its_weights_come_from(four_scores, recipe):
    weights = recipe_weights(recipe)
    result = EnsembleResult(weights, "searched", last=combine(four_scores, weights))
    text = accuracy_table(four_scores, recipe, result)
    lines = table_lines(text)
    assert "0.6" in lines["joint"].split()
    assert "96.77" in lines["ensemble"]
    assert "ensemble weights: searched on held-out samples" in text


def test_an_ensemble_of_fewer_modalities_has_no_published_figure(four_scores, recipe):
    pair = {name: four_scores[name] for name in ("joint", "bone")}
    weights = {"joint": 1.0, "bone": 1.0}
    text = accuracy_table(pair, recipe, EnsembleResult(weights, "given", combine(pair, weights)))
    assert "96.77" not in text


def test_another_backbone_has_no_published_figure(four_scores, recipe):
    others = {
        name: dataclasses.replace(each, metadata={**each.metadata, "backbone": "stgcn"})
        for name, each in four_scores.items()
    }
    weights = recipe_weights(recipe)
    result = EnsembleResult(weights, "benchmark", last=combine(others, weights))
    text = accuracy_table(others, recipe, result)
    assert "94.40" not in text
    assert "96.77" not in text


def test_no_negative_zero():
    assert difference_text(94.39655, 94.40) == "+0.00"
    assert difference_text(90.0, 94.40) == "-4.40"


def test_only_published_weights_are_called_the_authors(recipe):
    demo = load_recipe("demo-nw-ucla")
    assert "authors" in weights_text("benchmark", recipe)
    assert weights_text("benchmark", demo) == "the recipe's"
    without = dataclasses.replace(recipe, ensemble=None)
    assert weights_text("benchmark", without) == "equal, because the recipe has none"
    assert weights_text("given", recipe) == "as given"


def test_accuracies_of_another_part_say_so_and_have_no_published_figure(four_scores, recipe):
    held_out = {
        name: dataclasses.replace(each, parts=("validation",) * len(each))
        for name, each in four_scores.items()
    }
    weights = recipe_weights(recipe)
    result = EnsembleResult(weights, "benchmark", last=combine(held_out, weights))
    lines = table_lines(accuracy_table(held_out, recipe, result))
    assert lines["joint"].endswith("last epoch, validation part")
    assert "94.40" not in lines["joint"]
    assert lines["ensemble"].endswith("last epoch, validation part")
    assert "96.77" not in lines["ensemble"]
