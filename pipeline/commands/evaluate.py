# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead evaluate``: a model in, scores out."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.command("evaluate")
@click.option("--model", required=True, type=options.FOLDER, help="Model from `frhead train`.")
@click.option(
    "--data", required=True, type=options.FOLDER, help="Sequence store from `frhead prepare`."
)
@click.option("--output", required=True, type=options.FOLDER, help="For the score files.")
def command(model: Path, data: Path, output: Path) -> None:
    """Score the test samples with a model: logits of every named sample, a file per kept epoch.

    Example: frhead evaluate --model models/joint --data prepared/sequences --output scores/joint
    """
    from components.scoring import figures_of, score_model
    from frhead_core.progress import terminal_reporter

    scores = score_model(model, data, output, reporter=terminal_reporter())
    for name, each in scores.items():
        figures = figures_of({name: each})
        top1, top5 = figures[f"{name}_top1"], figures[f"{name}_top5"]
        click.echo(f"{output / name}.npz: top-1 {top1:.2f} %, top-5 {top5:.2f} %")
