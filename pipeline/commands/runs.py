# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead runs``: what became of runs, here or on a cluster, and what to do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pipeline import cluster_options, options


@click.group("runs")
def command() -> None:
    """Runs of this machine, or with --endpoint those of a cluster.

    Example: frhead runs list
    """


def _subcommand(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        return command.command(name)(cluster_options.engine_options(function))

    return decorate


_run = click.argument("run")
_seconds = click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)


@_subcommand("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_runs(limit: int, **where: Any) -> None:
    """List the newest runs, newest first.

    Example: frhead runs list --endpoint https://kubeflow.example.org/pipeline
    """
    from pipeline.run_texts import runs_text

    click.echo(runs_text(cluster_options.run_engine(where).runs(limit)))


@_subcommand("show")
@_run
def show(run: str, **where: Any) -> None:
    """Show one run and its steps.

    Example: frhead runs show 20260301-040506-nw-ucla
    """
    from pipeline.run_texts import run_text

    click.echo(run_text(cluster_options.run_engine(where).run(run)))


@_subcommand("watch")
@_run
@_seconds
def watch(run: str, every: float, **where: Any) -> int:
    """Say what happens in a run until it ends; the exit code is 1 if it does not end well.

    Example: frhead runs watch 20260301-040506-nw-ucla
    """
    from pipeline.run_watching import watched

    state = watched(cluster_options.run_engine(where), run, every, click.echo)
    return 0 if state in ("done", "cached") else 1


@_subcommand("logs")
@_run
@click.argument("step")
@click.option("--follow", is_flag=True, help="Go on until the run ends.")
@_seconds
def logs(run: str, step: str, follow: bool, every: float, **where: Any) -> None:
    """Print what a STEP of a run has written; `frhead runs show` names the steps.

    Example: frhead runs logs 20260301-040506-nw-ucla train_modality-joint --follow
    """
    from pipeline.run_watching import followed

    engine = cluster_options.run_engine(where)
    if follow:
        followed(engine, run, step, every, lambda text: click.echo(text, nl=False))
    else:
        click.echo(engine.log(run, step), nl=False)


@_subcommand("stop")
@_run
def stop(run: str, **where: Any) -> None:
    """Ask a run to end. What its steps have finished is kept, and training keeps its checkpoint.

    Example: frhead runs stop 20260301-040506-nw-ucla
    """
    cluster_options.run_engine(where).stop(run)
    click.echo(f"asked to stop: {run}")


@_subcommand("retry")
@_run
@options.name_option
def retry(run: str, name: str, **where: Any) -> None:
    """Go on with a run that failed or was stopped. On this machine it runs here until it ends.

    Example: frhead runs retry 20260301-040506-nw-ucla
    """
    from pipeline.local_runs import LocalRuns

    engine = cluster_options.run_engine(where)
    if not name:
        again = engine.retry(run)
    elif isinstance(engine, LocalRuns):
        again = engine.retry(run, name)
    else:
        raise click.UsageError("--name is for runs of this machine; a cluster names its own")
    click.echo(f"run: {again}")
