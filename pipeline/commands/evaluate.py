# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead evaluate``: a model in, scores out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import options

if TYPE_CHECKING:
    from frhead_core.training.samples import Part


@click.command("evaluate")
@click.option(
    "--model",
    required=True,
    type=options.FOLDER_OR_URI,
    help="Model from `frhead train`, also s3://bucket/key.",
)
@options.data_option
@click.option("--output", required=True, type=options.FOLDER, help="For the score files.")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["test", "validation", "train"]),
    help="Part of the benchmark to score. May be repeated.  [default: test, and validation if it "
    "was held out]",
)
@options.threads_option
@options.device_option
def command(
    model: Path | str,
    data: Path | str,
    output: Path,
    parts: tuple[Part, ...],
    threads: int | None,
    device: str,
) -> None:
    """Score samples with a model: logits of every named sample, a file for each kept epoch.

    Accuracy by class and confusion matrix are written beside them, and what recognising costs:
    parameters, operations, latency and throughput.

    Example: frhead evaluate --model models/joint --data prepared/sequences --output scores/joint
    """
    from frhead_core.evaluation.cost import Cost
    from frhead_core.evaluation.metrics import summarise
    from frhead_core.evaluation.score_files import score_model
    from frhead_core.evaluation.tables import class_table
    from frhead_core.progress import terminal_reporter
    from frhead_core.training.device import use_threads
    from pipeline.local_copies import local_copy

    if threads is not None:
        use_threads(threads)
    reporter = terminal_reporter()
    places = local_copy(model), local_copy(data)
    scores = score_model(*places, output, parts=parts, device=device, reporter=reporter)
    for name, each in scores.items():
        figures = summarise(each.logits, each.labels)
        accuracies = f"top-1 {figures['top1']:.2f} %, top-5 {figures['top5']:.2f} %"
        click.echo(f"{output / name}.npz: {accuracies}\n{class_table(each)}\n")
    cost = Cost.load(output)
    if cost is not None:
        click.echo(cost.text)
