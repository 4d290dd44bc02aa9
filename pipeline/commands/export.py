# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead export``: a sequence store as the files of other programs."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.command("export")
@click.argument("store", type=options.FOLDER)
@click.option("--benchmark", required=True, help="Benchmark of NTU RGB+D.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["reference-npz"]),
    default="reference-npz",
    show_default=True,
    help="reference-npz: the NTU60_CS.npz and the like of the reference preparation.",
)
@click.option("--output", required=True, type=options.FILE, help="The file to write.")
def command(store: Path, benchmark: str, kind: str, output: Path) -> None:
    """Write a benchmark's sequences as a file that other programs read.

    Example: frhead export prepared/sequences --benchmark ntu60-xsub --output NTU60_CS.npz
    """
    from frhead_core.data.export_npz import export_reference_npz
    from frhead_core.progress import terminal_reporter

    rows = export_reference_npz(store, benchmark, output, terminal_reporter())
    click.echo(", ".join(f"{part} {count:,}" for part, count in rows.items()))
    click.echo(f"{kind}: {output}")
