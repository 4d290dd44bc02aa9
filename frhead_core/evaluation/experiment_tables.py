"""The table of an experiment as text, CSV and JSON values."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from frhead_core.evaluation.compare import Comparison, methods
from frhead_core.evaluation.compare_tables import (
    interval_text,
    p_text,
    signed,
    spread_text,
    without_nan,
)
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.experiment import Block, Experiment, Row, Trial
from frhead_core.evaluation.score_files import VALIDATION
from frhead_core.evaluation.tables import aligned, csv_text, modality_text

_WHICH_TEXT = {
    VALIDATION: "last epoch, held-out validation part",
    "last": "last epoch, test part",
    "best_on_validation": "best epoch on validation, test part",
    "best_on_test": "best epoch on test, test part: chosen on the test set, no held-out figure",
}


def block_title(block: Block) -> str:
    """What a table is about."""
    which = _WHICH_TEXT[block.which]
    return which if block.model is None else f"{modality_text(block.model)}, {which}"


def selection_text(experiment: Experiment) -> str:
    """What a reader may choose a variant by; empty where there is nothing to choose."""
    if len(experiment.variants) == 1:
        return ""
    if experiment.held_out:
        return (
            "Choose by the held-out validation part. The figures of the test part are for what was "
            "chosen so; to choose by them is to choose on the test set."
        )
    return (
        "These are figures of the test part: to choose a variant by them is to choose on the test "
        "set, and its figure is then no held-out one. With training.hold_out_validation there are "
        "figures to choose by."
    )


def spread_notes(experiment: Experiment) -> list[str]:
    """How means and tests are to be read."""
    seeds = len(experiment.seeds)
    notes = []
    if seeds > 1:
        notes.append(f"± is the standard deviation over seeds (n - 1); {seeds} seeds say little")
    if len(experiment.variants) > 1 and experiment.baseline is not None:
        kind = (
            "exact sign-flip test over seeds, paired by number; "
            f"{seeds} seeds cannot give less than {2.0 ** (1 - seeds):.2g}"
            if seeds > 1
            else "McNemar's exact test of the samples that one alone got right"
        )
        notes += [
            f"difference: to {experiment.baseline}, percentage points; interval: "
            f"{methods()['interval']}",
            f"p: {kind}; several rows are several tests, p is not corrected for that",
        ]
    return notes


def p_of(comparison: Comparison) -> float:
    """Over the seeds if there are several, else of the samples."""
    test = comparison.over_seeds
    return comparison.outcomes[0].p if test is None else test.p


def row_label(block: Block, row: Row) -> str:
    """What stands at the beginning of a line."""
    return modality_text(row.model) if block.model is None else row.variant


def block_header(experiment: Experiment, block: Block) -> list[str]:
    """The heads of the columns of a table."""
    header = ["", *(f"seed {seed}" for seed in experiment.seeds)]
    if len(experiment.seeds) > 1:
        header.append("mean ± deviation")
    if any(row.published is not None for row in block.rows):
        header += ["published", "difference"]
    if block.baseline is not None:
        header += ["difference", "interval", "p"]
    return header


def block_cells(experiment: Experiment, block: Block, row: Row) -> list[str]:
    """The cells of a line, under :func:`block_header`."""
    cells = [row_label(block, row)]
    cells += ["failed" if value is None else f"{value:.2f}" for value in row.accuracies]
    if len(experiment.seeds) > 1:
        cells.append("" if row.spread is None else spread_text(row.spread))
    if any(each.published is not None for each in block.rows):
        cells += _published_cells(row)
    if block.baseline is not None:
        cells += _comparison_cells(experiment, row)
    return cells


def _published_cells(row: Row) -> list[str]:
    if row.published is None or row.spread is None:
        return ["", ""]
    return [f"{row.published:.2f}", signed(row.spread.mean - row.published)]


def _comparison_cells(experiment: Experiment, row: Row) -> list[str]:
    comparison = row.comparison
    if comparison is not None:
        interval = interval_text(comparison.interval)
        return [signed(comparison.difference), interval, p_text(p_of(comparison))]
    if row.incomparable:
        return ["", "other samples", ""]
    return ["baseline" if row.variant == experiment.baseline else "", "", ""]


def experiment_text(
    experiment: Experiment,
    tables: Sequence[Block],
    costs: Mapping[tuple[str, str], Cost],
) -> str:
    """Everything in a few tables, for a terminal and a log.

    Args:
        experiment: What was run.
        tables: Of :func:`frhead_core.evaluation.experiment.blocks`.
        costs: Of :func:`frhead_core.evaluation.experiment.costs`.
    """
    parts = [f"{experiment.title}: top-1 accuracy in percent"]
    for block in tables:
        rows = [block_cells(experiment, block, row) for row in block.rows]
        lines = aligned([block_header(experiment, block), *rows])
        parts.append("\n".join([block_title(block), *lines]))
    if costs:
        parts.append("\n".join(["what recognising costs", *_cost_lines(experiment, costs)]))
    notes = [*spread_notes(experiment), selection_text(experiment)]
    parts.append("\n".join(note for note in notes if note))
    parts += ["\n".join(failure_lines(experiment))] if experiment.failures else []
    return "\n\n".join(part for part in parts if part)


def failure_lines(experiment: Experiment) -> list[str]:
    """A line for each run that failed, with the reason."""
    lines = [f"{len(experiment.failures)} of {len(experiment.trials)} runs failed:"]
    for trial in experiment.failures:
        reason = " ".join(str(trial.error).split())
        lines.append(f"  {trial_text(trial.variant, trial.seed)}: {reason}")
    return lines


def trial_text(variant: str, seed: int) -> str:
    """What a run is called in front of people."""
    return f"{variant}, seed {seed}"


def _cost_lines(experiment: Experiment, costs: Mapping[tuple[str, str], Cost]) -> list[str]:
    several = len(experiment.variants) > 1
    header = ("", "parameters", "head's", "GFLOP a sample", "latency, ms", "samples/s", "measured")
    rows = [
        (
            f"{variant}, {modality_text(model)}" if several else modality_text(model),
            f"{cost.parameters:,}",
            f"{cost.head_parameters:,}",
            f"{cost.flops / 1e9:.3f}",
            f"{cost.latency_ms:.2f}",
            f"{cost.samples_per_second:.1f}",
            cost.conditions,
        )
        for (variant, model), cost in costs.items()
    ]
    return aligned([header, *rows])


def runs_csv(experiment: Experiment) -> str:
    """A line for each figure of each run, and for each run that failed."""
    header = ("variant", "settings", "seed", "status", "error", "model", "scores")
    rows: list[Sequence[object]] = [(*header, "samples", "right", "top1")]
    for trial in experiment.trials:
        settings = json.dumps(experiment.variants[trial.variant], sort_keys=True)
        start = (trial.variant, settings, trial.seed)
        if trial.error is not None:
            rows.append((*start, "failed", trial.error, "", "", "", "", ""))
        rows += [
            (*start, "done", "", *key, each.samples, each.right, f"{each.percent:.4f}")
            for key, each in trial.accuracies.items()
        ]
    return csv_text(rows)


def summary_csv(tables: Sequence[Block]) -> str:
    """A line for each variant and model: mean, deviation, and the comparison with the baseline."""
    rows: list[Sequence[object]] = [
        (
            *("variant", "model", "scores", "seeds", "mean", "deviation"),
            *("difference", "interval_low", "interval_high", "p_over_seeds", "p_mcnemar"),
        )
    ]
    for block in tables:
        for row in block.rows:
            spread = row.spread
            figures = (
                ("", "")
                if spread is None
                else (f"{spread.mean:.4f}", _number(spread.deviation, ".4f"))
            )
            start = (row.variant, row.model, block.which, len(row.values))
            rows.append((*start, *figures, *_comparison_figures(row.comparison)))
    return csv_text(rows)


def _comparison_figures(comparison: Comparison | None) -> tuple[str, ...]:
    if comparison is None:
        return ("",) * 5
    low, high = comparison.interval
    over_seeds = comparison.over_seeds
    return (
        f"{comparison.difference:.4f}",
        f"{low:.4f}",
        f"{high:.4f}",
        "" if over_seeds is None else f"{over_seeds.p:.6g}",
        "" if over_seeds is not None else f"{comparison.outcomes[0].p:.6g}",
    )


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def experiment_values(
    experiment: Experiment,
    tables: Sequence[Block],
    costs: Mapping[tuple[str, str], Cost],
) -> dict[str, Any]:
    """Everything as JSON values; the arguments are those of :func:`experiment_text`."""
    values = {
        "title": experiment.title,
        "benchmark": experiment.benchmark,
        "variants": experiment.variants,
        "seeds": list(experiment.seeds),
        "baseline": experiment.baseline,
        "facts": {name: str(value) for name, value in experiment.facts.items()},
        "methods": methods(),
        "runs": [_trial_values(trial) for trial in experiment.trials],
        "tables": [
            {"scores": block.which, "rows": [dataclasses.asdict(row) for row in block.rows]}
            for block in tables
        ],
        "costs": [
            {"variant": variant, "model": model, **cost.to_dict()}
            for (variant, model), cost in costs.items()
        ],
    }
    plain = without_nan(values)
    assert isinstance(plain, dict)
    return plain


def _trial_values(trial: Trial) -> dict[str, Any]:
    return {
        "variant": trial.variant,
        "seed": trial.seed,
        "error": trial.error,
        "accuracies": [
            {"model": model, "scores": which, **dataclasses.asdict(each), "top1": each.percent}
            for (model, which), each in trial.accuracies.items()
        ],
    }
