# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead schedule``: recurring runs of a cluster, declared in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pipeline import cluster_options, options

if TYPE_CHECKING:
    from pipeline.schedules import Schedules


@click.group("schedule")
def command() -> None:
    """Recurring runs of a cluster, declared in a YAML file under version control.

    docs/scheduling.md describes the file, and what does the same on one machine.

    Example: frhead schedule apply schedules.yaml --endpoint https://kubeflow.example.org/pipeline
    """


_file = click.argument("file", type=options.FILE)
_name = click.argument("name")


@command.command("explain")
@_file
def explain(file: Path) -> None:
    """Check the FILE, and say when its schedules are due; asks no cluster.

    Example: frhead schedule explain schedules.yaml
    """
    from pipeline.schedule_file import read_schedules
    from pipeline.schedule_texts import declared_text

    click.echo(declared_text(read_schedules(file)[0]))


@command.command("apply")
@_file
@click.option(
    "--prune", is_flag=True, help="Delete schedules of an earlier file that are not in it."
)
@click.option("--dry-run", is_flag=True, help="Only say what would become of each schedule.")
@cluster_options.api_options
def apply(file: Path, prune: bool, dry_run: bool, **where: Any) -> None:
    """Bring a cluster to what the FILE declares; a second time changes nothing.

    A schedule that differs is replaced: the old one is disabled, the new one created, the old one
    deleted. Recurring runs that were made by other means are left alone.

    Example: frhead schedule apply schedules.yaml --endpoint https://kubeflow.example.org/pipeline
    """
    from pipeline.cron import explained
    from pipeline.schedule_file import read_schedules

    declared, recipes = read_schedules(file)
    for each in _schedules(where).apply(declared, recipes, prune=prune, dry=dry_run):
        state = ", paused" if each.paused and each.action != "paused" else ""
        click.echo(f"{each.name}: {each.action}{state}")
        if each.name in declared.schedules:
            cron = declared.schedules[each.name].cron
            click.echo(f"  {explained(cron, declared.zone)}")


@command.command("list")
@cluster_options.time_zone_option
@cluster_options.api_options
def list_schedules(time_zone: ZoneInfo, **where: Any) -> None:
    """List the recurring runs of a cluster, when they are due in words, and their next time.

    Example: frhead schedule list --endpoint https://kubeflow.example.org/pipeline
    """
    from pipeline.schedule_texts import recurring_runs_text

    click.echo(recurring_runs_text(_schedules(where).all(), time_zone))


def _on_one(verb: str, done: str, text: str) -> None:
    """A subcommand that does something with one schedule."""

    def run(name: str, **where: Any) -> None:
        getattr(_schedules(where), verb)(name)
        click.echo(f"{name}: {done}")

    example = f"frhead schedule {verb} nightly --endpoint https://kubeflow.example.org/pipeline"
    run.__doc__ = f"{text}\n\nExample: {example}"
    decorate: Callable[..., Any] = command.command(verb)
    decorate(_name(cluster_options.api_options(run)))


_on_one("pause", "paused", "Start no more runs of a schedule until it is resumed.")
_on_one("resume", "resumed", "Start runs of a schedule again.")
_on_one("delete", "deleted", "Delete a schedule; its runs stay.")


def _schedules(where: dict[str, Any]) -> Schedules:
    from pipeline.schedules import Schedules

    return Schedules(cluster_options.kubeflow_api(where), cluster_options.given_profile(where))
