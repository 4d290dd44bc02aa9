# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead prepare``: raw recordings in, sequence store out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import options


@click.command("prepare")
@options.preparation_options
@options.raw_option
@click.option(
    "--output",
    required=True,
    type=options.FOLDER,
    help="Gets raw_bodies, denoised, and sequences, the store to train from.",
)
def command(benchmark: str, raw: Path, output: Path, **changes: Any) -> None:
    """Turn raw recordings into a sequence store.

    Example: frhead prepare nw-ucla --raw all_sqe.zip --output prepared
    """
    from frhead_core.data import datasets
    from frhead_core.progress import terminal_reporter
    from pipeline.arguments import splits_of_store

    recipe = options.chosen_recipe(benchmark, **changes)
    reporter, dataset, settings = terminal_reporter(), recipe.dataset, recipe.preparation
    raw_bodies, denoised, sequences = (
        output / name for name in ("raw_bodies", "denoised", "sequences")
    )
    data_fingerprint = datasets.fingerprint(dataset, raw)
    datasets.extract_raw_skeletons(
        dataset, raw, raw_bodies, settings, data_fingerprint, reporter=reporter
    )
    datasets.denoise_skeletons(dataset, raw_bodies, denoised, settings, reporter=reporter)
    report = datasets.transform_sequences(
        dataset, denoised, sequences, splits_of_store(recipe), settings, reporter=reporter
    )
    click.echo(report.markdown())
    click.echo(f"sequence store: {sequences}")
