# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead sweep``: variants of a recipe, each with several seeds, as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import options


@click.command("sweep")
@click.argument("file", type=options.FILE)
@options.local_run_options
def command(file: Path, **how: Any) -> None:
    """Run every variant that a file describes with every seed, and compare them with a baseline.

    FILE (.yaml) names a benchmark, seeds, modalities, settings of all variants, and either a grid
    of values to combine or named variants; docs/experiments.md shows one. One run follows the
    other; data are prepared once, a run that fails does not keep the others from running, and
    after an interruption the same command goes on.

    Example: frhead sweep sweep.yaml --raw all_sqe.zip
    """
    from pipeline.sweep_file import read_sweep

    plan = read_sweep(file)

    from pipeline.experiments import run_and_show

    run_and_show(plan, how)
