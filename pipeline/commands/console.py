# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead console``: the runs of this machine in a browser."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline import options

TOKEN = "FRHEAD_CONSOLE_TOKEN"


@click.command("console")
@click.option(
    "--work-directory",
    type=options.FOLDER,
    default=Path("runs"),
    show_default=True,
    help="Whose runs to show.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help=f"Address to listen on. Any but this machine's own needs a token in {TOKEN}.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option(
    "--prefix",
    default="",
    help="Path under which a reverse proxy serves the console, for example /frhead.",
)
def command(work_directory: Path, host: str, port: int, prefix: str) -> None:
    """Show runs, their steps and their logs in a browser, while they go on.

    Example: frhead console --work-directory runs
    """
    import uvicorn

    from pipeline.console.app import create_app
    from pipeline.console.settings import ConsoleSettings

    settings = ConsoleSettings(
        work_directory=work_directory,
        host=host,
        port=port,
        token=os.environ.get(TOKEN),
        prefix=prefix,
    )
    app = create_app(settings)
    click.echo(f"console: http://{host}:{port}{prefix}/  (Ctrl-C ends it, and no run)")
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
