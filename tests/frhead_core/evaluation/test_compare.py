"""The statistics against enumeration, closed forms and the plain procedure."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.errors import InputError
from frhead_core.evaluation.compare import (
    compare,
    difference_interval,
    mcnemar,
    sign_flip_test,
    spread,
)
from frhead_core.evaluation.compare_tables import comparison_values, comparisons_text
from frhead_core.evaluation.scores import Scores

COUNTS = st.integers(0, 40)


@given(COUNTS, COUNTS)
def test_mcnemar_is_the_binomial_distribution_of_the_discordant_samples(b: int, c: int) -> None:
    chance = Fraction(1, 2 ** (b + c))
    every = [math.comb(b + c, k) * chance for k in range(b + c + 1)]
    # No more likely than what was seen: the two-sided test of a symmetric distribution.
    expected = sum(probability for probability in every if probability <= every[b])

    assert mcnemar(b, c) == mcnemar(c, b) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize(("b", "c", "p"), [(0, 0, 1), (1, 9, 22 / 1024), (0, 6, 2 / 64), (7, 7, 1)])
def test_mcnemar_on_numbers_that_can_be_checked_by_hand(b: int, c: int, p: float) -> None:
    assert mcnemar(b, c) == pytest.approx(p, rel=1e-12)


def test_mcnemar_of_many_samples_is_the_normal_distribution() -> None:
    b, c = 10_000, 10_400
    z = (abs(b - c) - 1) / math.sqrt(b + c)

    assert mcnemar(b, c) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-3)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8))
def test_the_sign_flip_test_is_the_enumeration_of_all_signs(differences: list[int]) -> None:
    sums = [
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = sum(total >= abs(sum(differences)) for total in sums) / len(sums)

    assert sign_flip_test(differences) == expected


def test_few_seeds_cannot_give_a_small_p() -> None:
    assert sign_flip_test([50, 60, 70]) == 0.25
    assert sign_flip_test([50, 60, 70, 80, 90, 100]) == 2 / 64
    assert sign_flip_test([1] * 64) == 2.0**-63


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9))
def test_mean_and_deviation_are_those_of_a_sample(values: list[float]) -> None:
    found = spread(values)

    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found.deviation == pytest.approx(np.std(values, ddof=1), rel=1e-9, abs=1e-9)
    assert math.isnan(spread([81.0]).deviation)


def gains_of(only_first: int, only_second: int, samples: int) -> np.ndarray:
    gains = np.zeros(samples, dtype=np.int64)
    gains[:only_first], gains[only_first : only_first + only_second] = -1, 1
    return gains


@given(st.integers(0, 30), st.integers(0, 30), st.integers(60, 500))
def test_the_interval_holds_the_difference_and_turns_with_it(b: int, c: int, samples: int) -> None:
    gains = gains_of(b, c, samples)

    low, high = difference_interval(gains, 1)

    assert low <= 100 * (c - b) / samples <= high
    assert -100 <= low <= high <= 100
    assert difference_interval(gains[::-1], 1) == (low, high)  # the order of samples is nothing
    # A mirrored one but for the noise of resampling.
    assert difference_interval(-gains, 1) == pytest.approx((-high, -low), abs=300 / samples)


def test_the_interval_of_many_samples_is_that_of_the_normal_distribution() -> None:
    samples, b, c = 50_000, 2_000, 2_600
    deviation = math.sqrt(b + c - (c - b) ** 2 / samples) / samples
    expected = [100 * ((c - b) / samples + z * deviation) for z in (-1.95996, 1.95996)]

    found = difference_interval(gains_of(b, c, samples), 1)

    assert found == pytest.approx(expected, abs=0.02)


def test_the_interval_is_that_of_resampling_the_samples_themselves() -> None:
    gains = np.random.default_rng(1).integers(-3, 4, size=200)  # three seeds
    rows = np.random.default_rng(2).integers(0, 200, size=(10_000, 200))
    plain = np.quantile(100 * gains[rows].mean(1) / 3, (0.025, 0.975))

    assert difference_interval(gains, 3) == pytest.approx(plain.tolist(), abs=0.35)


@pytest.fixture
def two(make_scores: Any) -> tuple[Scores, Scores]:
    return (
        make_scores(count=90, seed=1, skill=1.5, which="last"),
        make_scores(count=90, seed=2, skill=2.0, which="last"),
    )


def right(scores: Scores) -> np.ndarray:
    return np.asarray(scores.logits.argmax(1) == scores.labels)


def shuffled(scores: Scores, seed: int = 0) -> Scores:
    rows = np.random.default_rng(seed).permutation(len(scores))
    return dataclasses.replace(
        scores,
        names=tuple(scores.names[row] for row in rows),
        logits=scores.logits[rows],
        labels=scores.labels[rows],
    )


def test_two_models_are_compared_sample_by_sample_whatever_their_order(
    two: tuple[Scores, Scores],
) -> None:
    first, second = two
    a, b = right(first), right(second)

    found = compare({None: first}, {None: shuffled(second)})

    (outcomes,) = found.outcomes
    assert (outcomes.first_right, outcomes.second_right) == (a.sum(), b.sum())
    assert (outcomes.only_first, outcomes.only_second) == ((a & ~b).sum(), (b & ~a).sum())
    assert outcomes.only_first > 0
    assert outcomes.p == mcnemar(outcomes.only_first, outcomes.only_second)
    assert found.difference == pytest.approx(100 * (b.mean() - a.mean()))
    assert found.interval[0] < found.difference < found.interval[1]
    assert found.over_seeds is None
    for place, change in enumerate(found.classes):
        of_class = first.labels == place
        assert change.samples == of_class.sum()
        assert change.gained == (b & ~a & of_class).sum()
        assert change.lost == (a & ~b & of_class).sum()
        assert change.second_right - change.first_right == change.gained - change.lost


def test_swapping_the_models_turns_the_difference_round(two: tuple[Scores, Scores]) -> None:
    one, other = compare({1: two[0]}, {1: two[1]}), compare({1: two[1]}, {1: two[0]})

    assert one.difference == -other.difference
    assert one.outcomes[0].p == other.outcomes[0].p
    assert [each.gained for each in one.classes] == [each.lost for each in other.classes]


def test_a_model_does_not_differ_from_itself(two: tuple[Scores, Scores]) -> None:
    found = compare({None: two[0]}, {None: two[0]})

    assert (found.difference, found.interval, found.outcomes[0].p) == (0.0, (0.0, 0.0), 1.0)


@pytest.fixture
def several(make_scores: Any) -> tuple[dict[int | None, Scores], dict[int | None, Scores]]:
    first = {seed: make_scores(count=90, seed=seed, skill=1.0) for seed in (1, 2, 3)}
    second = {seed: make_scores(count=90, seed=10 + seed, skill=2.5) for seed in (1, 2, 3)}
    return {**first}, {**second}


def test_over_seeds_the_accuracies_are_paired_and_tested(several: Any) -> None:
    first, second = several
    a = [100 * right(each).mean() for each in first.values()]
    b = [100 * right(each).mean() for each in second.values()]

    found = compare(first, second)

    assert found.first.mean == pytest.approx(np.mean(a))
    assert found.first.deviation == pytest.approx(np.std(a, ddof=1))
    assert found.difference == pytest.approx(np.mean(b) - np.mean(a))
    assert found.over_seeds is not None
    assert found.over_seeds.difference.deviation == pytest.approx(np.std(np.subtract(b, a), ddof=1))
    assert found.over_seeds.p == found.over_seeds.smallest_p == 0.25  # always better, three times
    assert sum(each.samples for each in found.classes) == 3 * 90
    text = comparisons_text({"joint": found})
    assert "sign-flip p 0.250" in text
    assert "3 seeds cannot give a p below 0.25: few seeds say little" in text
    assert text.count("  seed ") == 3


def test_what_cannot_be_paired_is_refused(two: tuple[Scores, Scores], several: Any) -> None:
    first, second = two
    fewer = dataclasses.replace(
        second,
        names=second.names[:-1],
        logits=second.logits[:-1],
        labels=second.labels[:-1],
        parts=second.parts[:-1],
        seen_in_training=second.seen_in_training[:-1],
    )
    with pytest.raises(InputError, match=r"mine against|the models have different samples"):
        compare({None: first}, {None: fewer}, ("mine", "theirs"))
    relabelled = dataclasses.replace(second, labels=np.roll(second.labels, 1))
    with pytest.raises(InputError, match="different labels for sample_000"):
        compare({None: first}, {None: relabelled})
    with pytest.raises(InputError, match="seeds 1, 2, 3 against seeds 1, 2"):
        compare(several[0], {1: second, 2: second})


def test_the_text_says_what_was_tested_and_how(two: tuple[Scores, Scores]) -> None:
    found = compare({None: two[0]}, {None: two[1]})

    text = comparisons_text({"joint": found, "bone": found})

    a, b = 100 * right(two[0]).mean(), 100 * right(two[1]).mean()
    row = next(line for line in text.splitlines() if line.startswith("joint  "))
    assert row.split()[1:4] == [f"{a:.2f}", f"{b:.2f}", f"{b - a:+.2f}"]
    assert "last epoch; test part, 90 samples, paired by name" in text
    assert "10,000 paired bootstrap resamples of the samples (seed 0)" in text
    assert "p is not corrected" in text
    assert "chosen on the test set" not in text
    assert "WARNING" not in text
    best = dataclasses.replace(found, which=("last", "best_on_test"), seen_in_training=3)
    text = comparisons_text({"joint": best})
    assert "A last epoch, B best epoch on test" in text
    assert "chosen on the test set: no held-out figures" in text
    assert "WARNING: a model was trained on some of these samples" in text


def test_all_of_it_is_json(two: tuple[Scores, Scores]) -> None:
    values = comparison_values(compare({None: two[0]}, {None: two[1]}))

    again = json.loads(json.dumps(values, allow_nan=False))
    assert again["first"]["deviation"] is None
    assert again["outcomes"][0].keys() >= {"only_first", "only_second", "p"}
