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
    r"""Run every variant that a file describes with every seed, and compare them with a baseline.

    \b
    benchmark: nw-ucla
    modalities: [joint]
    seeds: [1, 2, 3]
    settings: {training.epochs: 20, training.hold_out_validation: true}
    grid:
      training.learning_rate: [0.05, 0.1]
      head.version: [V0, V1]

    One run follows the other; data are prepared once, a run that fails does not keep the others
    from running, and after an interruption the same command goes on.

    Example: frhead sweep sweep.yaml --raw all_sqe.zip
    """
    from pipeline.sweep_file import read_sweep

    plan = read_sweep(file)

    from pipeline.experiments import run_and_show

    run_and_show(plan, how)
