"""The gate, on scores that are right where they are told to be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.config import Promotion
from frhead_core.evaluation.promotion import Decision, decide
from frhead_core.evaluation.promotion_report import write_promotion_report
from frhead_core.evaluation.scores import Scores

CLASSES = 5
LENIENT = Promotion(minimum_gain=-100.0, maximum_class_loss=100.0, significance=1.0)


def scores(right: list[bool], *, seed: int = 0, trained_on: int = 0, prefix: str = "s") -> Scores:
    """Scores of samples whose classes take turns, each recognised or not."""
    count = len(right)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    logits = np.random.default_rng(seed).uniform(0, 1, (count, CLASSES)).astype(np.float32)
    chosen = np.where(right, labels, (labels + 1) % CLASSES)
    logits[np.arange(count), chosen] += 5
    return Scores(
        names=tuple(f"{prefix}{row}" for row in range(count)),
        logits=logits,
        labels=labels,
        parts=("test",) * count,
        seen_in_training=np.arange(count) < trained_on,
        metadata={"benchmark": "nw-ucla"},
    )


def failed(decision: Decision) -> set[str]:
    return {check.name for check in decision.checks if not check.holds}


def test_the_first_candidate_only_needs_the_accuracy() -> None:
    three_of_four = scores([True, True, True, False])

    enough = decide(three_of_four, None, None, Promotion(minimum_accuracy=75.0))
    too_little = decide(three_of_four, None, None, Promotion(minimum_accuracy=75.1))

    assert enough.promoted and enough.reason == "promoted: there is no champion yet"
    assert enough.accuracy == 75.0
    assert not too_little.promoted
    assert "minimum_accuracy: 75.00 %, asked for at least 75.1 %" in too_little.reason


@pytest.mark.parametrize(
    ("gate", "condition"),
    [
        (Promotion(minimum_gain=25.0, significance=1.0), None),
        (Promotion(minimum_gain=25.1, significance=1.0), "minimum_gain"),
        # 5 samples against none: p = 2 / 2^5.
        (Promotion(significance=0.0625), None),
        (Promotion(significance=0.0624), "significance"),
    ],
)
def test_each_condition_decides_at_its_bound(gate: Promotion, condition: str | None) -> None:
    champion = scores([False] * 5 + [True] * 15)
    candidate = scores([True] * 20, seed=1)

    decision = decide(candidate, champion, 7, gate)

    assert failed(decision) == ({condition} if condition else set())
    assert decision.promoted == (condition is None)
    assert decision.champion == 7


@pytest.mark.parametrize(("limit", "promoted"), [(24.9, False), (25.0, True)])
def test_a_gain_does_not_excuse_what_one_class_loses(limit: float, promoted: bool) -> None:
    champion = scores([row % CLASSES == 0 for row in range(20)])
    candidate = scores(
        [row > 0 for row in range(20)], seed=1
    )  # loses one of the first class's four

    gate = Promotion(maximum_class_loss=limit, significance=1.0)
    decision = decide(candidate, champion, 1, gate)

    assert decision.promoted == promoted
    assert failed(decision) == (set() if promoted else {"maximum_class_loss"})
    if not promoted:
        assert "25.00 points (0)" in decision.reason


@given(st.lists(st.booleans(), min_size=CLASSES, max_size=30))
def test_the_champion_never_replaces_itself(right: list[bool]) -> None:
    decision = decide(scores(right), scores(right), 1, LENIENT)

    assert not decision.promoted
    assert failed(decision) == {"another model"}


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=CLASSES, max_size=40))
def test_of_two_models_at_most_one_beats_the_other(right: list[tuple[bool, bool]]) -> None:
    one, two = (scores(list(side), seed=seed) for seed, side in enumerate(zip(*right, strict=True)))

    promoted = [
        decide(one, two, 1, Promotion()).promoted,
        decide(two, one, 1, Promotion()).promoted,
    ]

    assert sum(promoted) <= 1


def test_samples_that_a_model_was_trained_on_decide_nothing() -> None:
    champion = scores([False] * 20, trained_on=3)

    decision = decide(scores([True] * 20, seed=1), champion, 1, LENIENT)

    assert failed(decision) == {"unseen test samples"}


def test_other_samples_are_no_comparison_but_a_reason() -> None:
    decision = decide(scores([True] * 20), scores([False] * 20, prefix="other"), 3, LENIENT)

    assert not decision.promoted
    assert decision.reason.startswith("refused: cannot be compared with champion 3: ")
    assert "different samples" in decision.reason


def test_the_decision_is_json_and_a_page(tmp_path: Path) -> None:
    decision = decide(scores([True] * 20, seed=1), scores([False] * 20), 2, Promotion())

    write_promotion_report(tmp_path / "page.html", decision, "champion 3 of <nw-ucla>")

    values = json.loads(json.dumps(decision.values(), allow_nan=False))
    assert values["promoted"] is True
    assert values["gate"]["significance"] == 0.05
    assert values["comparison"]["difference"] == 100
    page = BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser")
    assert page.h1 and page.h1.text == "Champion 3 of <nw-ucla>"
    rows = [[cell.text for cell in row.find_all(["th", "td"])] for row in page.select("tbody tr")]
    assert ["minimum gain", "at least +0 points", "+100.00 points", "yes"] in rows
    assert page.pre and "McNemar" in page.pre.text
