"""Comparisons of two models as text and as JSON values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from frhead_core.evaluation.compare import (
    BOOTSTRAP_SEED,
    CONFIDENCE,
    RESAMPLES,
    ClassChange,
    Comparison,
    PairedOutcomes,
    SeedTest,
    Spread,
    methods,
)
from frhead_core.evaluation.tables import aligned, modality_text, which_text

_HEADER = ("", "A", "B", "B - A", "interval", "only A right", "only B right", "McNemar p")


def comparisons_text(comparisons: Mapping[str, Comparison]) -> str:
    """Tables for people: accuracies, differences, tests, and classes that changed.

    Args:
        comparisons: By modality (or ``ensemble``); at least one.
    """
    rows = [row for name, each in comparisons.items() for row in _rows(name, each)]
    title = _title(next(iter(comparisons.values())))
    blocks = ["\n".join([title, *aligned([_HEADER, *rows])])]
    blocks += [
        f"{modality_text(name)}, {_seed_text(each.over_seeds)}"
        for name, each in comparisons.items()
        if each.over_seeds is not None
    ]
    blocks += _classes(comparisons)
    blocks.append(_notes(comparisons))
    return "\n\n".join(blocks)


def _title(comparison: Comparison) -> str:
    first, second = (which_text(which) for which in comparison.which)
    epoch = first if first == second else f"A {first}, B {second}"
    part = " and ".join(comparison.parts)
    return (
        f"{epoch}; {part} part, {comparison.samples} samples, paired by name; "
        "top-1 accuracy in percent"
    )


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON values; what is not a number becomes null."""
    values = without_nan(dataclasses.asdict(comparison))
    assert isinstance(values, dict)
    return values


def comparisons_values(comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    """All comparisons, with the methods they were made by, as JSON values."""
    return {
        "methods": methods(),
        "comparisons": {name: comparison_values(each) for name, each in comparisons.items()},
    }


def spread_text(spread: Spread) -> str:
    """Mean and deviation in percent: ``81.03`` or ``81.03 ± 0.42``."""
    if math.isnan(spread.deviation):
        return f"{spread.mean:.2f}"
    return f"{spread.mean:.2f} ± {spread.deviation:.2f}"


def p_text(p: float) -> str:
    """A p, not more precise than it is useful."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def interval_text(interval: tuple[float, float]) -> str:
    """``-0.43 to +4.74``."""
    low, high = interval
    return f"{signed(low)} to {signed(high)}"


def signed(value: float) -> str:
    """Percentage points with a sign, and no negative zero."""
    return f"{round(value, 2) + 0.0:+.2f}"


def _rows(name: str, comparison: Comparison) -> list[tuple[str, ...]]:
    """The row of a modality, and with several seeds one for each below it."""
    outcomes = comparison.outcomes
    single = outcomes[0] if len(outcomes) == 1 else None
    row = (
        modality_text(name),
        spread_text(comparison.first),
        spread_text(comparison.second),
        signed(comparison.difference),
        interval_text(comparison.interval),
        *(_tests(single) if single else ("", "", "")),
    )
    if single:
        return [row]
    return [row, *(_seed_row(each, comparison.samples) for each in outcomes)]


def _seed_row(outcomes: PairedOutcomes, samples: int) -> tuple[str, ...]:
    first, second = (
        100 * right / samples for right in (outcomes.first_right, outcomes.second_right)
    )
    return (
        f"  seed {outcomes.seed}",
        f"{first:.2f}",
        f"{second:.2f}",
        signed(second - first),
        "",
        *_tests(outcomes),
    )


def _tests(outcomes: PairedOutcomes) -> tuple[str, str, str]:
    return str(outcomes.only_first), str(outcomes.only_second), p_text(outcomes.p)


def _seed_text(test: SeedTest) -> str:
    difference = test.difference
    return (
        f"over {difference.count} seeds: B - A {signed(difference.mean)} ± "
        f"{difference.deviation:.2f}, sign-flip p {p_text(test.p)}\n"
        f"  {difference.count} seeds cannot give a p below {test.smallest_p:.2g}: few seeds say "
        "little"
    )


def _classes(comparisons: Mapping[str, Comparison]) -> list[str]:
    """The classes that changed most, of the ensemble or of what alone is compared."""
    name = "ensemble" if "ensemble" in comparisons else next(iter(comparisons))
    comparison = comparisons[name]
    changed = [each for each in comparison.classes if each.gained or each.lost]
    if not changed:
        return []
    changed.sort(key=lambda each: (-abs(each.gained - each.lost), each.name))
    header = ("class", "samples", "A right", "B right", "gained", "lost", "net")
    over = "" if len(comparison.outcomes) == 1 else ", counts over all seeds"
    lines = aligned([header, *map(_class_row, changed)])
    return [f"{modality_text(name)}, classes with gains or losses{over}\n" + "\n".join(lines)]


def _class_row(change: ClassChange) -> tuple[str, ...]:
    return (
        change.name,
        str(change.samples),
        str(change.first_right),
        str(change.second_right),
        str(change.gained),
        str(change.lost),
        f"{change.gained - change.lost:+d}",
    )


def _notes(comparisons: Mapping[str, Comparison]) -> str:
    notes = [
        f"interval: {CONFIDENCE:.0%}, percentiles of {RESAMPLES:,} paired bootstrap resamples of "
        f"the samples (seed {BOOTSTRAP_SEED}), for these trained models",
        "McNemar p: exact, two-sided, of the samples that one model alone got right",
    ]
    if len(comparisons) > 1:
        notes.append("several rows are several tests; p is not corrected for that")
    if any("best_on_test" in each.which for each in comparisons.values()):
        notes.append("these epochs were chosen on the test set: no held-out figures")
    if any(each.seen_in_training for each in comparisons.values()):
        notes.append("WARNING: a model was trained on some of these samples; a test says nothing")
    return "\n".join(notes)


def without_nan(value: Any) -> Any:
    """JSON values with null for what is not a number."""
    if isinstance(value, Mapping):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
