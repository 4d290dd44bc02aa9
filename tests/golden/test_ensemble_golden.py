"""The published score files against the counts that were recomputed from them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frhead_core.config import MODALITIES, Modality, Recipe, load_recipe
from frhead_core.evaluation import metrics
from frhead_core.evaluation.ensemble import EnsembleResult, combine
from frhead_core.evaluation.scores import Scores, read_scores
from frhead_core.evaluation.tables import accuracy_table
from frhead_core.restricted_pickle import read_restricted

pytestmark = pytest.mark.golden

RECIPES = {"nw_ucla": "nw-ucla"}


@pytest.fixture
def folder(golden_folder: Path) -> Path:
    if not (golden_folder / "ensemble").is_dir():
        pytest.skip("the golden folder holds no ensemble")
    return golden_folder / "ensemble"


def sets(folder: Path) -> list[tuple[Recipe, Any, dict[str, Any]]]:
    """Every set of published scores in the folder: its recipe, arrays and facts."""
    found = []
    for path in sorted(folder.glob("*_published_scores.npz")):
        prefix = path.name.removesuffix("_published_scores.npz")
        facts = json.loads((folder / f"{prefix}_published_facts.json").read_text())
        found.append((load_recipe(RECIPES[prefix]), np.load(path, allow_pickle=False), facts))
    assert found, "no published scores to check"
    return found


@cache
def published(folder: Path, recipe: Recipe) -> dict[Modality, Scores]:
    scores = {}
    for modality in MODALITIES:
        path = folder / "published_pickles" / modality / "epoch1_test_score.pkl"
        if path.is_file():
            scores[modality] = read_scores(path, recipe=recipe, modality=modality)
    return scores


def from_arrays(recipe: Recipe, arrays: Any) -> dict[Modality, Scores]:
    names = tuple(str(name) for name in arrays["sample_names"])
    return {
        modality: Scores(
            names=names,
            logits=arrays[modality],
            labels=arrays["labels"],
            parts=("test",) * len(names),
            seen_in_training=np.zeros(len(names), dtype=bool),
            metadata={"benchmark": recipe.name, "which": "best_on_test"},
        )
        for modality in MODALITIES
        if modality in arrays
    }


def weights_of(facts: dict[str, Any]) -> dict[Modality, float]:
    fact = facts["ensemble_4_streams"]
    return dict(zip(fact["order"], fact["weights"], strict=True))


def check_counts(scores: Scores, facts: dict[str, Any]) -> None:
    summary = metrics.summarise(scores.logits, scores.labels)
    assert summary["samples"] == facts["total"]
    for k in ("top1", "top5"):
        assert summary[f"{k}_right"] == facts[f"{k}_right"]
        assert f"{summary[k]:.2f}" == facts[f"{k}_text"]


def test_the_files_are_the_published_ones(folder):
    for _, _, facts in sets(folder):
        for name, fact in facts.get("files", {}).items():
            content = (folder / name).read_bytes()
            assert len(content) == fact["bytes"], name
            assert hashlib.sha256(content).hexdigest() == fact["sha256"], name


def test_the_pickles_hold_the_scores_of_the_arrays(folder):
    for recipe, arrays, _ in sets(folder):
        for modality, scores in published(folder, recipe).items():
            assert scores.names == tuple(arrays["sample_names"])
            np.testing.assert_array_equal(scores.logits, arrays[modality])
            np.testing.assert_array_equal(scores.labels, arrays["labels"])


def test_the_label_file_agrees(folder):
    path = folder / "published_pickles" / "val_label.pkl"
    for _, arrays, _ in sets(folder):
        entries = read_restricted(path.read_bytes(), path)
        assert [entry["file_name"] for entry in entries] == list(arrays["sample_names"])
        assert [entry["label"] - 1 for entry in entries] == arrays["labels"].tolist()
        assert [entry["length"] for entry in entries] == arrays["lengths"].tolist()


def test_every_modality_has_its_accuracy(folder):
    for recipe, arrays, facts in sets(folder):
        for modality, fact in facts["single"].items():
            check_counts(from_arrays(recipe, arrays)[modality], fact)


def test_the_ensemble_is_the_published_one(folder):
    for recipe, arrays, facts in sets(folder):
        fact = facts["ensemble_4_streams"]
        combined = combine(from_arrays(recipe, arrays), weights_of(facts))
        check_counts(combined, fact)
        np.testing.assert_allclose(combined.logits, arrays["ensemble"], rtol=0, atol=1e-5)


def test_other_weightings_of_any_subset(folder):
    for recipe, arrays, facts in sets(folder):
        scores = from_arrays(recipe, arrays)
        for title, fact in facts.get("other_weightings_computed_here_not_published", {}).items():
            order, values = (text.strip() for text in title.split("@"))
            weights = dict(
                zip(order.split("+"), (float(value) for value in values.split(",")), strict=True)
            )
            check_counts(combine({name: scores[name] for name in weights}, weights), fact)


def test_every_class_has_its_accuracy(folder):
    for recipe, arrays, facts in sets(folder):
        scores = from_arrays(recipe, arrays)
        scores_of = {**scores, "ensemble": combine(scores, weights_of(facts))}
        for name, each in scores_of.items():
            predictions = metrics.predicted_classes(each.logits)
            matrix = metrics.confusion_matrix(predictions, each.labels, recipe.classes)
            for label, fact in facts["per_class"].items():
                assert matrix[int(label)].sum() == fact["total"]
                assert matrix[int(label), int(label)] == fact["right"][name]


def test_the_table_shows_the_figures(folder):
    for recipe, arrays, facts in sets(folder):
        scores = from_arrays(recipe, arrays)
        weights = weights_of(facts)
        result = EnsembleResult(weights, "given", best_on_test=combine(scores, weights))
        lines = accuracy_table(scores, recipe, result).splitlines()
        for name, fact in {**facts["single"], "ensemble": facts["ensemble_4_streams"]}.items():
            (line,) = (line for line in lines if line.startswith(name.replace("_", " ") + "  "))
            assert fact["top1_text"] in line
            assert fact["top5_text"] in line
            assert f"{fact['top1_right']} of {fact['total']}" in line
            if float(fact["top1_text"]) == getattr(recipe.published, name):
                assert line.count(fact["top1_text"]) == 2, "as measured and as published"
                assert "+0.00" in line
