"""A decision about a candidate, as a page for people."""

from __future__ import annotations

from pathlib import Path

from frhead_core.evaluation.compare_tables import comparisons_text
from frhead_core.evaluation.pages import render
from frhead_core.evaluation.promotion import Decision
from frhead_core.files import write_atomically


def write_promotion_report(output: Path, decision: Decision, outcome: str) -> None:
    """Write the page, atomically.

    Args:
        output: The HTML file.
        decision: What was decided.
        outcome: What followed from it, one line.

    Raises:
        InputError: If the file cannot be written.
    """
    comparison = decision.comparison
    context = {
        "decision": decision,
        "outcome": outcome,
        "comparison": None if comparison is None else comparisons_text({"ensemble": comparison}),
    }
    write_atomically(output, render("promotion.html.j2", context))
