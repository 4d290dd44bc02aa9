"""The published score files against the counts that were recomputed from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
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
from tests.golden.cases import PUBLISHED, SCORES, benchmark_of
from tests.golden.files import ENSEMBLE, each, read_arrays

pytestmark = pytest.mark.golden

FILES = [(prefix, name) for prefix, facts in PUBLISHED.items() for name in facts.get("files", {})]


@dataclass(frozen=True)
class Published:
    """One benchmark's published scores and what is known of them."""

    recipe: Recipe
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


@pytest.fixture(scope="module", params=each(PUBLISHED, "published scores with their facts"))
def published(request: pytest.FixtureRequest) -> Published:
    prefix = str(request.param)
    return Published(
        load_recipe(benchmark_of(prefix)),
        read_arrays(ENSEMBLE / f"{prefix}{SCORES}"),
        PUBLISHED[prefix],
    )


def published_file(published: Published, ending: str) -> Path:
    """The published file that the facts list under a name with this ending."""
    names = [name for name in published.facts.get("files", {}) if name.endswith(ending)]
    if not names:
        pytest.skip(f"the facts of {published.recipe.name} list no {ending}")
    (path,) = (ENSEMBLE / name for name in names)
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def from_arrays(published: Published) -> dict[Modality, Scores]:
    names = tuple(str(name) for name in published.arrays["sample_names"])
    return {
        modality: Scores(
            names=names,
            logits=published.arrays[modality],
            labels=published.arrays["labels"],
            parts=("test",) * len(names),
            seen_in_training=np.zeros(len(names), dtype=bool),
            metadata={"benchmark": published.recipe.name, "which": "best_on_test"},
        )
        for modality in MODALITIES
        if modality in published.arrays
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


@pytest.mark.parametrize("file", each(FILES, "published files with their facts"), ids="/".join)
def test_the_files_are_the_published_ones(file: tuple[str, str]) -> None:
    prefix, name = file
    if not (ENSEMBLE / name).is_file():
        pytest.skip(f"{ENSEMBLE / name} is not there")
    content, fact = (ENSEMBLE / name).read_bytes(), PUBLISHED[prefix]["files"][name]
    assert len(content) == fact["bytes"]
    assert hashlib.sha256(content).hexdigest() == fact["sha256"]


@pytest.mark.parametrize("modality", MODALITIES)
def test_the_pickles_hold_the_scores_of_the_arrays(
    published: Published, modality: Modality
) -> None:
    path = published_file(published, f"/{modality}/epoch1_test_score.pkl")
    scores = read_scores(path, recipe=published.recipe, modality=modality)
    assert scores.names == tuple(published.arrays["sample_names"])
    np.testing.assert_array_equal(scores.logits, published.arrays[modality])
    np.testing.assert_array_equal(scores.labels, published.arrays["labels"])


def test_the_label_file_agrees(published: Published) -> None:
    path, arrays = published_file(published, "val_label.pkl"), published.arrays
    entries = read_restricted(path.read_bytes(), path)
    assert [entry["file_name"] for entry in entries] == list(arrays["sample_names"])
    assert [entry["label"] - 1 for entry in entries] == arrays["labels"].tolist()
    assert [entry["length"] for entry in entries] == arrays["lengths"].tolist()


def test_every_modality_has_its_accuracy(published: Published) -> None:
    for modality, fact in published.facts["single"].items():
        check_counts(from_arrays(published)[modality], fact)


def test_the_ensemble_is_the_published_one(published: Published) -> None:
    combined = combine(from_arrays(published), weights_of(published.facts))
    check_counts(combined, published.facts["ensemble_4_streams"])
    np.testing.assert_allclose(combined.logits, published.arrays["ensemble"], rtol=0, atol=1e-5)


def test_other_weightings_of_any_subset(published: Published) -> None:
    scores = from_arrays(published)
    others = published.facts.get("other_weightings_computed_here_not_published", {})
    for title, fact in others.items():
        order, values = (text.strip() for text in title.split("@"))
        weights = dict(
            zip(order.split("+"), (float(value) for value in values.split(",")), strict=True)
        )
        check_counts(combine({name: scores[name] for name in weights}, weights), fact)


def test_every_class_has_its_accuracy(published: Published) -> None:
    scores = from_arrays(published)
    scores_of = {**scores, "ensemble": combine(scores, weights_of(published.facts))}
    for name, found in scores_of.items():
        predictions = metrics.predicted_classes(found.logits)
        matrix = metrics.confusion_matrix(predictions, found.labels, published.recipe.classes)
        for label, fact in published.facts["per_class"].items():
            assert matrix[int(label)].sum() == fact["total"]
            assert matrix[int(label), int(label)] == fact["right"][name]


def test_the_table_shows_the_figures(published: Published) -> None:
    recipe, facts, scores = published.recipe, published.facts, from_arrays(published)
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
