"""Whether a candidate takes the champion's place: the gate of a recipe, and the reasons.

The candidate and the champion are compared on the same test samples, paired by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frhead_core.config import Promotion
from frhead_core.errors import InputError
from frhead_core.evaluation.compare import Comparison, compare, methods
from frhead_core.evaluation.compare_tables import comparison_values, p_text
from frhead_core.evaluation.metrics import top_k_accuracy
from frhead_core.evaluation.scores import Scores

_SIDES = ("champion", "candidate")


@dataclass(frozen=True)
class Check:
    """One condition of the gate.

    Attributes:
        name: The key of the recipe's section, or what else is asked for.
        holds: Whether it does.
        found: What was measured, for people.
        required: What is asked for, for people.
    """

    name: str
    holds: bool
    found: str
    required: str


@dataclass(frozen=True)
class Decision:
    """What became of a candidate, and why.

    Attributes:
        promoted: Whether it takes the champion's place.
        reason: One line.
        accuracy: Of the candidate, top-1 in percent.
        samples: It was measured on.
        champion: Number of the champion it was compared with; None if there was none.
        checks: The conditions; empty where nothing could be compared.
        gate: The settings they come from.
        comparison: Champion (first) and candidate (second) on the same samples.
    """

    promoted: bool
    reason: str
    accuracy: float
    samples: int
    champion: int | None
    checks: tuple[Check, ...]
    gate: Promotion
    comparison: Comparison | None = None

    def values(self) -> dict[str, Any]:
        """The decision as JSON values, with the methods of the comparison."""
        plain = dataclasses.asdict(dataclasses.replace(self, comparison=None))
        comparison = None if self.comparison is None else comparison_values(self.comparison)
        return plain | {"comparison": comparison, "methods": methods()}


def decide(
    candidate: Scores, champion: Scores | None, number: int | None, gate: Promotion
) -> Decision:
    """Let a candidate pass the gate, or not.

    Args:
        candidate: Scores of the test samples.
        champion: Of the model to beat; None if there is none yet.
        number: Of that champion.
        gate: What is asked for.
    """
    accuracy = top_k_accuracy(candidate.logits, candidate.labels, 1)
    checks = [
        Check(
            "minimum_accuracy",
            accuracy >= gate.minimum_accuracy,
            f"{accuracy:.2f} %",
            f"at least {gate.minimum_accuracy:g} %",
        )
    ]
    comparison, problem = None, None
    if champion is not None:
        try:
            comparison = compare({None: champion}, {None: candidate}, names=_SIDES)
        except InputError as error:
            problem = str(error)
        else:
            checks.append(_another(candidate, champion))
            checks += _comparing_checks(comparison, gate)
    return Decision(
        promoted=problem is None and all(check.holds for check in checks),
        reason=_reason(checks, number, problem),
        accuracy=accuracy,
        samples=len(candidate),
        champion=number,
        checks=tuple(checks),
        gate=gate,
        comparison=comparison,
    )


def _another(candidate: Scores, champion: Scores) -> Check:
    same = candidate.names == champion.names and np.array_equal(candidate.logits, champion.logits)
    return Check(
        "another model",
        not same,
        "the champion's scores" if same else "other scores",
        "other scores",
    )


def _comparing_checks(comparison: Comparison, gate: Promotion) -> list[Check]:
    loss, name = _largest_loss(comparison)
    p = comparison.outcomes[0].p
    return [
        Check(
            "unseen test samples",
            comparison.seen_in_training == 0,
            f"{comparison.seen_in_training} that a model was trained on",
            "none",
        ),
        Check(
            "minimum_gain",
            comparison.difference >= gate.minimum_gain,
            f"{comparison.difference:+.2f} points",
            f"at least {gate.minimum_gain:+g} points",
        ),
        Check(
            "maximum_class_loss",
            loss <= gate.maximum_class_loss,
            f"{loss:.2f} points ({name})" if loss else "no class lost",
            f"at most {gate.maximum_class_loss:g} points",
        ),
        Check(
            "significance",
            p <= gate.significance,
            f"p {p_text(p)}",
            f"p at most {gate.significance:g}",
        ),
    ]


def _largest_loss(comparison: Comparison) -> tuple[float, str]:
    """What the class lost, in percentage points of its accuracy, that lost most; 0 if none did."""
    losses = [
        (100 * (each.first_right - each.second_right) / each.samples, each.name)
        for each in comparison.classes
        if each.samples
    ]
    worst = max(losses, key=lambda loss: loss[0])
    return worst if worst[0] > 0 else (0.0, "")


def _reason(checks: Sequence[Check], number: int | None, problem: str | None) -> str:
    if problem is not None:
        return f"refused: cannot be compared with champion {number}: {problem}"
    failed = [
        f"{each.name}: {each.found}, asked for {each.required}" for each in checks if not each.holds
    ]
    if failed:
        against = "" if number is None else f" against champion {number}"
        return f"refused{against}: {'; '.join(failed)}"
    return (
        "promoted: there is no champion yet"
        if number is None
        else f"promoted over champion {number}"
    )
