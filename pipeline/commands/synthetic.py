# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead synthetic``: recordings to try the pipeline with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import options


@click.command("synthetic")
@click.option(
    "--output",
    required=True,
    type=options.PATH,
    help="The zip archive to write; with ntu also a directory, if it does not end in .zip.",
)
@click.option(
    "--layout",
    type=click.Choice(["nw-ucla", "ntu"]),
    default="ntu",
    show_default=True,
    help="Format of the files. With ntu they have the noise of a depth sensor.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--performers", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--replications",
    type=click.IntRange(1),
    help="Of each action, by each performer.  [default: 1 with ntu, 3 with nw-ucla]",
)
@click.option(
    "--setups",
    type=options.NUMBERS,
    default="1,2",
    show_default=True,
    help="ntu: numbers of the setups; from 18 on they have the actions that NTU RGB+D 120 adds.",
)
@click.option(
    "--actions",
    type=options.NUMBERS,
    help="ntu: numbers of the actions.  [default: ten of each half]",
)
@click.option(
    "--frames",
    type=(int, int),
    default=(40, 60),
    show_default=True,
    help="ntu: fewest and most frames of a recording; real ones mostly have 60 to 150.",
)
def command(output: Path, **given: Any) -> None:
    """Write recordings of stick figures in the format of NTU RGB+D or of NW-UCLA.

    Example: frhead synthetic --output raw.zip && frhead run demo --raw raw.zip
    """
    write_recordings(output, **given)
    click.echo(f"recordings: {output}")


def write_recordings(
    output: Path,
    layout: str,
    seed: int,
    performers: int,
    replications: int | None,
    setups: tuple[int, ...],
    actions: tuple[int, ...] | None,
    frames: tuple[int, int],
) -> None:
    """Write what the options of the command ask for."""
    if layout == "nw-ucla":
        from frhead_core.data.synthetic import write_nw_ucla

        write_nw_ucla(output, seed=seed, performers=performers, replications=replications or 3)
    else:
        from frhead_core.data.synthetic_ntu import ACTIONS, write_ntu

        write_ntu(
            output,
            seed=seed,
            setups=setups,
            performers=range(1, performers + 1),
            replications=range(1, (replications or 1) + 1),
            actions=actions or ACTIONS,
            frames=frames,
        )
