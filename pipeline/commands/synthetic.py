# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead synthetic``: recordings to try the pipeline with."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.command("synthetic")
@click.option("--output", required=True, type=options.FILE, help="The zip archive to write.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--performers", type=int, default=3, show_default=True)
@click.option(
    "--replications",
    type=int,
    default=3,
    show_default=True,
    help="Of each action, by each performer.",
)
def command(output: Path, seed: int, performers: int, replications: int) -> None:
    """Write recordings of a stick figure in the format of NW-UCLA.

    Example: frhead synthetic --output raw.zip && frhead run demo --raw raw.zip
    """
    from frhead_core.data.synthetic import write_nw_ucla

    write_nw_ucla(output, seed=seed, performers=performers, replications=replications)
    click.echo(f"recordings: {output}")
