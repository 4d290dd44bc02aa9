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
def command(benchmark: str, raw: Path | str, output: Path, **changes: Any) -> None:
    """Turn raw recordings into a sequence store. After an interruption the same command goes on.

    Example: frhead prepare nw-ucla --raw all_sqe.zip --output prepared
    """
    recipe = options.chosen_recipe(benchmark, **changes)

    from frhead_core.progress import terminal_reporter
    from pipeline.preparing import prepare

    report = prepare(recipe, raw, output, terminal_reporter())
    click.echo(report.markdown())
    click.echo(f"sequence store: {output / 'sequences'}")
