# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead console``: the runs of this machine, and of a cluster, in a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pipeline import cluster_options, options

if TYPE_CHECKING:
    from pipeline.console.cluster import Cluster

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
@options.champions_option(
    required=False, text="Where champions lie, to show them: a directory or an s3:// address."
)
@click.option(
    "--only-cluster", is_flag=True, help="Show the cluster alone, and no runs of this machine."
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many of the runs that are asked for in the console run at once.",
)
@cluster_options.time_zone_option
@cluster_options.api_options
def command(
    work_directory: Path,
    host: str,
    port: int,
    prefix: str,
    champions: str,
    only_cluster: bool,
    concurrency: int,
    time_zone: ZoneInfo,
    **where: Any,
) -> None:
    """Start runs in a browser, and look at them, their steps and logs while they go on.

    With --endpoint or --profile those of a Kubeflow Pipelines cluster as well, and its schedules.

    Example: frhead console --work-directory runs --champions champions
    """
    import uvicorn

    from pipeline.console.app import create_app
    from pipeline.console.settings import FORM_LIMIT, UPLOAD_LIMIT, ConsoleSettings

    settings = ConsoleSettings(
        work_directory=work_directory,
        host=host,
        port=port,
        token=os.environ.get(TOKEN),
        prefix=prefix,
        cluster=_cluster(where, time_zone),
        only_cluster=only_cluster,
        champions=champions,
        concurrency=concurrency,
        upload_limit=FORM_LIMIT if only_cluster else UPLOAD_LIMIT,
    )
    app = create_app(settings)
    if not only_cluster:
        app.state.runs.all_runs()  # read now, the first page comes as fast as the others
    click.echo(f"console: http://{host}:{port}{prefix}/  (Ctrl-C ends it, and no run)")
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


def _cluster(where: dict[str, Any], zone: ZoneInfo) -> Cluster | None:
    """The cluster that the options name, if they do."""
    if not where["endpoint"] and not where["profile"]:
        return None
    from pipeline.console.cluster import Cluster

    return Cluster.of(
        cluster_options.kubeflow_api(where), cluster_options.given_profile(where), zone
    )
