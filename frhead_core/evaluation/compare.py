"""Is one model better than another? Paired tests on the same test samples, and over seeds.

Everything is top-1. Differences are the second model minus the first, in percentage points. Samples
count as independent of each other, as is usual; recordings of one performer are not quite, so that
intervals and p are a little too confident.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frhead_core.errors import InputError
from frhead_core.evaluation.joining import joined
from frhead_core.evaluation.metrics import predicted_classes
from frhead_core.evaluation.scores import Scores

RESAMPLES = 10_000
CONFIDENCE = 0.95
BOOTSTRAP_SEED = 0

Seed = int | None
"""Which of several trainings of one model; None where there is one, and nobody said which."""


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing: how many, mean and standard deviation (n - 1).

    The deviation is nan for a single one.
    """

    count: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class PairedOutcomes:
    """What two models, trained once each, made of the same samples.

    Attributes:
        seed: Of the trainings.
        first_right: Samples that the first recognised.
        second_right: Samples that the second recognised.
        only_first: Samples that the first alone recognised.
        only_second: Samples that the second alone recognised.
        p: Of McNemar's exact test.
    """

    seed: Seed
    first_right: int
    second_right: int
    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class SeedTest:
    """A paired test over seeds.

    Attributes:
        difference: Second minus first accuracy over the seeds, in percentage points.
        p: Of the sign-flip test.
        smallest_p: The smallest p that so many seeds can give.
    """

    difference: Spread
    p: float
    smallest_p: float


@dataclass(frozen=True)
class ClassChange:
    """One class. Counts are sums over the seeds.

    Attributes:
        name: Of the class.
        samples: Of the class.
        first_right: Recognised by the first model.
        second_right: Recognised by the second.
        gained: By the second alone.
        lost: By the first alone.
    """

    name: str
    samples: int
    first_right: int
    second_right: int
    gained: int
    lost: int


@dataclass(frozen=True)
class Comparison:
    """Two models on the same samples.

    Attributes:
        samples: How many.
        parts: Of the benchmark's split that they belong to.
        which: Of the epochs that were kept, of either model, where its scores say so.
        seen_in_training: How many of them a model was trained on, which makes a test meaningless.
        first: Accuracy of the first model over the seeds, in percent.
        second: Of the second.
        difference: Of the means.
        interval: Of the difference: percentile bootstrap over the samples, for these trained
            models (other seeds would give others).
        outcomes: Seed by seed.
        over_seeds: The test over seeds, for at least two.
        classes: Gains and losses by class, in the order of the classes.
    """

    samples: int
    parts: tuple[str, ...]
    which: tuple[str | None, str | None]
    seen_in_training: int
    first: Spread
    second: Spread
    difference: float
    interval: tuple[float, float]
    outcomes: tuple[PairedOutcomes, ...]
    over_seeds: SeedTest | None
    classes: tuple[ClassChange, ...]


def compare(
    first: Mapping[Seed, Scores],
    second: Mapping[Seed, Scores],
    names: tuple[str, str] = ("first", "second"),
) -> Comparison:
    """Compare two models on the same samples, joined by name.

    Args:
        first: Scores by seed; one score file is ``{None: scores}``.
        second: Of the other model, by the same seeds.
        names: What the models are called in messages; two different texts.

    Raises:
        InputError: If the seeds, the samples, their labels or the benchmarks differ.
    """
    if not first or first.keys() != second.keys():
        raise InputError(
            "the models were not trained with the same seeds",
            found=f"{_seeds_text(first)} against {_seeds_text(second)}",
            expected="the same seeds on both sides, to pair them",
        )
    by_side = {
        f"{side}{'' if seed is None else f', seed {seed}'}": scores
        for side, every in zip(names, (first, second), strict=True)
        for seed, scores in every.items()
    }
    together = list(joined(by_side, "models").values())
    seeds = list(first)
    ours, theirs = together[: len(seeds)], together[len(seeds) :]
    right = np.stack([_right(scores) for scores in ours])  # (S, n)
    other_right = np.stack([_right(scores) for scores in theirs])
    outcomes = tuple(
        _outcomes(seed, one, two) for seed, one, two in zip(seeds, right, other_right, strict=True)
    )
    gains = other_right.sum(0, dtype=np.int64) - right.sum(0, dtype=np.int64)
    samples = len(together[0])
    return Comparison(
        samples=samples,
        parts=tuple(sorted(set(together[0].parts))),
        which=(ours[0].metadata.get("which"), theirs[0].metadata.get("which")),
        seen_in_training=int(
            np.logical_or.reduce([scores.seen_in_training for scores in together]).sum()
        ),
        first=spread([100 * each.first_right / samples for each in outcomes]),
        second=spread([100 * each.second_right / samples for each in outcomes]),
        difference=100 * float(gains.sum()) / (samples * len(seeds)),
        interval=difference_interval(gains, len(seeds)),
        outcomes=outcomes,
        over_seeds=_over_seeds(outcomes, samples) if len(seeds) > 1 else None,
        classes=_class_changes(together[0], right, other_right),
    )


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation (n - 1) of at least one value."""
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    return Spread(len(values), statistics.fmean(values), deviation)


def mcnemar(only_first: int, only_second: int) -> float:
    """Probability of so unequal a score by chance: McNemar's exact test, two-sided.

    If both models were equally good, each sample that only one of them recognised would be as
    likely to be the one's as the other's: twice the smaller tail of a binomial distribution with
    probability 1/2 (at most 1).

    Args:
        only_first: Samples that the first alone recognised.
        only_second: Samples that the second alone recognised.
    """
    trials = only_first + only_second
    ways = term = 1
    for chosen in range(min(only_first, only_second)):
        term = term * (trials - chosen) // (chosen + 1)
        ways += term
    return min(1.0, 2 * ways / (1 << trials))


def sign_flip_test(differences: Sequence[int]) -> float:
    """Probability of so large a sum by chance: exact sign-flip permutation test, two-sided.

    If both models were equally good, each difference would be as likely with the opposite sign:
    the share of all 2^S choices of signs whose sum is at least as far from 0 as the observed one.

    Args:
        differences: One for each of S seeds; whole numbers, such as numbers of samples.
    """
    ways = Counter({0: 1})
    for difference in differences:
        flipped: Counter[int] = Counter()
        for total, count in ways.items():
            flipped[total + difference] += count
            flipped[total - difference] += count
        ways = flipped
    observed = abs(sum(differences))
    extreme = sum(count for total, count in ways.items() if abs(total) >= observed)
    return extreme / (1 << len(differences))


def difference_interval(gains: np.ndarray, seeds: int) -> tuple[float, float]:
    """Percentile bootstrap interval of the difference in accuracy, in percentage points.

    Resampling the samples with replacement is drawing how often each value of ``gains`` occurs, so
    that a resample costs the same for any number of samples.

    Args:
        gains: (n,) int64; for each sample how many of the seeds' second models recognised it,
            minus how many of their first ones.
        seeds: How many.
    """
    values, counts = np.unique(gains, return_counts=True)
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    drawn = generator.multinomial(len(gains), counts / len(gains), size=RESAMPLES)
    differences = 100 * (drawn @ values) / (len(gains) * seeds)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, (tail, 1 - tail))
    return float(low), float(high)


def methods() -> dict[str, Any]:
    """What was computed how, to be kept with the results."""
    return {
        "difference": "second minus first, percentage points of top-1 accuracy",
        "p": "McNemar's exact test, two-sided",
        "interval": f"{CONFIDENCE:.0%} percentile of {RESAMPLES} paired bootstrap resamples of the "
        f"samples, seed {BOOTSTRAP_SEED}",
        "over_seeds": "exact sign-flip permutation test of the differences by seed, two-sided",
        "deviation": "standard deviation over seeds, n - 1",
    }


def _seeds_text(scores: Mapping[Seed, Scores]) -> str:
    known = [str(seed) for seed in scores if seed is not None]
    return "seeds " + ", ".join(known) if known else f"{len(scores)} without a seed"


def _right(scores: Scores) -> np.ndarray:
    """(n,) bool."""
    return np.asarray(predicted_classes(scores.logits) == scores.labels)


def _outcomes(seed: Seed, first: np.ndarray, second: np.ndarray) -> PairedOutcomes:
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return PairedOutcomes(
        seed=seed,
        first_right=int(first.sum()),
        second_right=int(second.sum()),
        only_first=only_first,
        only_second=only_second,
        p=mcnemar(only_first, only_second),
    )


def _over_seeds(outcomes: Sequence[PairedOutcomes], samples: int) -> SeedTest:
    differences = [each.second_right - each.first_right for each in outcomes]
    return SeedTest(
        difference=spread([100 * each / samples for each in differences]),
        p=sign_flip_test(differences),
        smallest_p=2.0 ** (1 - len(outcomes)),
    )


def _class_changes(
    scores: Scores, first: np.ndarray, second: np.ndarray
) -> tuple[ClassChange, ...]:
    """Args: the samples, and whether each was recognised, (S, n) bool, by either model."""
    changes = []
    for place, name in enumerate(scores.class_names):
        one, two = (right[:, scores.labels == place] for right in (first, second))
        changes.append(
            ClassChange(
                name=name,
                samples=one.size,
                first_right=int(one.sum()),
                second_right=int(two.sum()),
                gained=int((two & ~one).sum()),
                lost=int((one & ~two).sum()),
            )
        )
    return tuple(changes)
