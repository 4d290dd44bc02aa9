# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead import``: sequences that were prepared elsewhere as a sequence store."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import options


@click.command("import")
@click.argument("file", type=options.FILE)
@click.option("--benchmark", required=True, help="Benchmark that the file is for.")
@click.option("--output", required=True, type=options.FOLDER, help="The sequence store to make.")
def command(file: Path, benchmark: str, output: Path) -> None:
    """Make a sequence store of a prepared file: the reference's .npz, or PYSKL's annotations.

    Example: frhead import NTU60_CS.npz --benchmark ntu60-xsub --output sequences
    """
    from frhead_core.data.import_prepared import import_prepared
    from frhead_core.progress import terminal_reporter

    report = import_prepared(file, benchmark, output, terminal_reporter())
    click.echo(report.markdown())
    click.echo(f"sequence store: {output}")
