from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frhead_core.config import MODALITIES, load_recipe, override
from frhead_core.errors import InputError
from frhead_core.evaluation.ensemble import (
    check_same_models,
    combine,
    recipe_weights,
    search_weights,
)
from frhead_core.evaluation.scores import Scores

WEIGHTS = {"joint": 0.6, "bone": 0.6, "joint_motion": 0.4, "bone_motion": 0.4}


def shuffled(scores: Scores, seed: int) -> Scores:
    rows = np.random.default_rng(seed).permutation(len(scores))
    return dataclasses.replace(
        scores,
        names=tuple(scores.names[row] for row in rows),
        logits=scores.logits[rows],
        labels=scores.labels[rows],
        parts=tuple(scores.parts[row] for row in rows),
        seen_in_training=scores.seen_in_training[rows],
    )


def held_out(scores: Scores, **metadata: str) -> Scores:
    return dataclasses.replace(
        scores,
        parts=("validation",) * len(scores),
        metadata={**scores.metadata, **metadata},
    )


def test_the_sum_is_float32_in_the_order_of_the_modalities(four_scores):
    expected = np.float32(0.6) * four_scores["joint"].logits
    for name in ("bone", "joint_motion", "bone_motion"):
        expected = expected + np.float32(WEIGHTS[name]) * four_scores[name].logits
    combined = combine(dict(reversed(four_scores.items())), WEIGHTS)
    assert combined.logits.dtype == np.float32
    np.testing.assert_array_equal(combined.logits, expected)
    assert combined.names == four_scores["joint"].names
    assert combined.metadata["modality"] == "ensemble"
    assert combined.metadata["weights"] == WEIGHTS
    assert combined.metadata["benchmark"] == "nw-ucla"
    assert combined.metadata["which"] == "last"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), chosen=st.sets(st.sampled_from(MODALITIES), min_size=1))
def test_samples_are_joined_by_name_for_any_subset(seed, chosen, make_scores):
    scores = {name: make_scores(seed=MODALITIES.index(name)) for name in chosen}
    mixed = {
        name: shuffled(each, seed + place) for place, (name, each) in enumerate(scores.items())
    }
    straight, joined = combine(scores, WEIGHTS), combine(mixed, WEIGHTS)
    order = [straight.names.index(name) for name in joined.names]
    np.testing.assert_array_equal(joined.logits, straight.logits[order])
    np.testing.assert_array_equal(joined.labels, straight.labels[order])


def test_different_samples_are_refused_with_the_first_differences(four_scores):
    bone = four_scores["bone"]
    names = ("new_b", "new_a", *bone.names[2:])
    four_scores["bone"] = dataclasses.replace(bone, names=names)
    with pytest.raises(
        InputError,
        match=r"bone against joint: .*2 missing \(sample_000, sample_001\) and 2 more "
        r"\(new_a, new_b\)",
    ):
        combine(four_scores, WEIGHTS)


def test_many_differences_are_cut_short(four_scores, make_scores):
    four_scores["bone"] = make_scores(count=30)
    with pytest.raises(
        InputError, match=r"10 missing \(sample_030, sample_031, sample_032, \.\.\.\)"
    ):
        combine(four_scores, WEIGHTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(40, dtype=np.int64)}, "different labels for sample_001; found 0"),
        ({"parts": ("validation",) * 40}, "different parts for sample_000; found validation"),
        ({"logits": np.zeros((40, 11), dtype=np.float32)}, "numbers of classes; found 11"),
        ({"metadata": {"benchmark": "demo"}}, "different benchmarks; found demo; expected nw-ucla"),
    ],
)
def test_scores_that_do_not_fit_are_refused(four_scores, change, message):
    four_scores["bone_motion"] = dataclasses.replace(four_scores["bone_motion"], **change)
    with pytest.raises(InputError, match=f"bone_motion against joint: .*{message}"):
        combine(four_scores, WEIGHTS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"joint": 1.0}, "one weight for each modality; found joint; expected joint, bone"),
        (WEIGHTS | {"bone": float("nan")}, "bone: no usable weight; found nan"),
        (dict.fromkeys(MODALITIES, 0.0), "all weights are zero"),
    ],
)
def test_unusable_weights_are_refused(four_scores, weights, message):
    with pytest.raises(InputError, match=message):
        combine(four_scores, weights)


def test_nothing_cannot_be_combined():
    with pytest.raises(InputError, match="no scores to combine"):
        combine({}, WEIGHTS)
    with pytest.raises(InputError, match="no scores to combine"):
        search_weights({})


def test_a_sample_seen_by_one_model_was_seen_by_the_ensemble(four_scores):
    seen = np.zeros(40, dtype=bool)
    seen[7] = True
    bone = dataclasses.replace(four_scores["bone"], seen_in_training=seen)
    combined = combine(four_scores | {"bone": bone}, WEIGHTS)
    assert np.flatnonzero(combined.seen_in_training).tolist() == [7]


def test_the_recipe_gives_the_weights():
    assert recipe_weights(load_recipe("nw-ucla")) == WEIGHTS
    without = override(load_recipe("nw-ucla"), {"ensemble": None})
    assert recipe_weights(without) == dict.fromkeys(MODALITIES, 1.0)


def test_the_search_prefers_the_better_modality(make_scores):
    scores = {
        "joint": held_out(make_scores(count=200, seed=1, skill=4.0)),
        "bone": held_out(make_scores(count=200, seed=2, skill=0.0)),
    }
    weights = search_weights(scores)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["joint"] > 0.7


def test_the_search_is_repeatable_whatever_the_order(four_scores):
    scores = {name: held_out(each) for name, each in four_scores.items()}
    weights = search_weights(scores)
    mixed = {name: shuffled(scores[name], 5) for name in reversed(MODALITIES)}
    assert search_weights(mixed) == weights
    assert list(weights) == list(MODALITIES)


def test_the_search_never_does_worse_than_equal_weights(four_scores):
    scores = {name: held_out(each) for name, each in four_scores.items()}

    def right(weights):
        combined = combine(scores, weights)
        return (combined.logits.argmax(axis=1) == combined.labels).sum()

    assert right(search_weights(scores)) >= right(dict.fromkeys(MODALITIES, 0.25))


def test_where_nothing_matters_the_weights_are_equal(make_scores):
    same = held_out(make_scores(seed=1))
    weights = search_weights(dict.fromkeys(MODALITIES, same))
    assert weights == dict.fromkeys(MODALITIES, 0.25)


def test_a_lone_modality_gets_all_the_weight(make_scores):
    assert search_weights({"bone": held_out(make_scores())}) == {"bone": 1.0}


@pytest.mark.parametrize("part", ["test", "unknown"])
def test_the_search_refuses_test_samples_and_unknown_ones(four_scores, part):
    scores = {name: held_out(each) for name, each in four_scores.items()}
    parts = ["validation"] * 40
    parts[3] = part
    scores["bone"] = dataclasses.replace(scores["bone"], parts=tuple(parts))
    with pytest.raises(InputError, match=rf"bone, sample_003: .* a sample of the part '{part}'"):
        search_weights(scores)


def test_the_search_refuses_samples_that_a_model_was_trained_on(four_scores):
    scores = {name: held_out(each) for name, each in four_scores.items()}
    seen = np.zeros(40, dtype=bool)
    seen[39] = True
    scores["bone_motion"] = dataclasses.replace(scores["bone_motion"], seen_in_training=seen)
    with pytest.raises(InputError, match=r"bone_motion, sample_039: .* model was trained on"):
        search_weights(scores)


@pytest.mark.parametrize(
    ("key", "value"),
    [("data_fingerprint", "other"), ("data_fingerprint", None), ("benchmark", None)],
)
def test_the_search_refuses_scores_of_different_or_unknown_origin(four_scores, key, value):
    scores = {name: held_out(each) for name, each in four_scores.items()}
    scores["bone"] = held_out(scores["bone"], **{key: value})
    with pytest.raises(InputError, match=f"{key}: .*one known origin; found .*bone: {value}"):
        search_weights(scores)


def of_model(scores: Scores, model: str | None) -> Scores:
    return dataclasses.replace(scores, metadata={**scores.metadata, "model": model})


@pytest.mark.parametrize("model", ["other", None])
def test_weights_searched_on_other_models_are_refused(four_scores, model):
    combined = {name: of_model(each, name) for name, each in four_scores.items()}
    searched = {name: held_out(each) for name, each in combined.items()}
    check_same_models(searched, combined)
    with pytest.raises(InputError, match=r"bone: the ensemble weights .* other models"):
        check_same_models(searched | {"bone": of_model(searched["bone"], model)}, combined)


def test_weights_are_searched_over_the_very_modalities_that_are_combined(four_scores):
    combined = {name: of_model(each, name) for name, each in four_scores.items()}
    fewer = {name: combined[name] for name in ("joint", "bone")}
    with pytest.raises(InputError, match=r"joint_motion: .*no stated model"):
        check_same_models(fewer, combined)
    with pytest.raises(InputError, match=r"joint_motion: .*\(not stated\)"):
        check_same_models(combined, fewer)
