"""The report of an experiment: many runs as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from frhead_core.evaluation import charts
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.experiment import Block, Experiment
from frhead_core.evaluation.experiment_tables import (
    block_cells,
    block_header,
    block_title,
    failure_lines,
    row_label,
    selection_text,
    spread_notes,
)
from frhead_core.evaluation.pages import render
from frhead_core.files import write_atomically


def write_experiment_report(
    output: Path,
    experiment: Experiment,
    tables: Sequence[Block],
    costs: Mapping[tuple[str, str], Cost],
) -> None:
    """Write the page, atomically.

    Args:
        output: The HTML file.
        experiment: What was run.
        tables: Of :func:`frhead_core.evaluation.experiment.blocks`.
        costs: Of :func:`frhead_core.evaluation.experiment.costs`.

    Raises:
        InputError: If the file cannot be written.
    """
    several = len(experiment.variants) > 1
    context = {
        "experiment": experiment,
        "tables": [_table(experiment, block) for block in tables],
        "costs": costs,
        "failures": failure_lines(experiment)[1:] if experiment.failures else [],
        "notes": spread_notes(experiment),
        "selection": selection_text(experiment),
        "settings": experiment.variants if several else {},
        "facts": {name: str(value) for name, value in experiment.facts.items()},
    }
    write_atomically(output, render("experiment.html.j2", context))


def _table(experiment: Experiment, block: Block) -> dict[str, Any]:
    measured = [(row_label(block, row), row.values) for row in block.rows]
    title = block_title(block)
    return {
        "title": title,
        "header": block_header(experiment, block),
        "rows": [block_cells(experiment, block, row) for row in block.rows],
        "chart": Markup(charts.dots(measured, f"{title}, percent", block.baseline)),
    }
