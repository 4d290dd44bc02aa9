# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead clean``: what a work directory no longer needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import options
from pipeline.quantities import seconds_of

if TYPE_CHECKING:
    from pipeline.cleaning.plan import Kind, Policy

_KINDS = "runs,cache,artifacts,checkpoints"


@click.command("clean")
@click.option(
    "--work-directory",
    type=options.LocalPath(exists=True, file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Of `frhead run`.",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    metavar="N",
    help="Let runs go, but for the N newest.",
)
@click.option(
    "--older-than",
    metavar="TIME",
    callback=lambda context, option, text: _seconds(text),
    help='Let runs go; and let only go what was used last so long ago: "12h", "30d".',
)
@click.option(
    "--kinds",
    default=_KINDS,
    show_default=True,
    callback=lambda context, option, text: _kinds(text),
    help="What may go, with commas between.",
)
@click.option("--yes", is_flag=True, help="Remove what can go.  [default: only show it]")
def command(
    work_directory: Path,
    keep: int | None,
    older_than: float | None,
    kinds: tuple[Kind, ...],
    yes: bool,
) -> None:
    """Show what a work directory no longer needs, and with --yes remove it.

    Without --keep and --older-than every run stays, and what goes is what none of them refers to:
    artifacts with their cache entries, and checkpoints that were used last before any of them
    started and more than 7 days ago (--older-than changes that). With both, the N newest runs stay
    and of the others those that were used since.

    What a run that stays refers to never goes, nor anything that is not recognised, which is
    listed. While a run is alive only folders of finished runs go. Removing can be interrupted and
    repeated. Checkpoints in another place (--checkpoint-root), results in another place
    (--output), champions and the tables of experiments are not touched.

    Example: frhead clean

    Example: frhead clean --keep 10 --older-than 30d --yes
    """
    from pipeline.cleaning.plan import Policy

    policy = Policy(kinds, keep, older_than)
    if yes:
        _remove(work_directory, policy)
    else:
        _show(work_directory, policy)


def _show(work_directory: Path, policy: Policy) -> None:
    from pipeline import work_lock
    from pipeline.cleaning.plan import plan_cleaning
    from pipeline.cleaning.texts import cleaning_text

    free = work_lock.is_free(work_directory)
    cleaning = plan_cleaning(work_directory, policy, free=free)
    click.echo(cleaning_text(cleaning))
    if cleaning.items:
        click.echo("nothing was removed; --yes removes it")


def _remove(work_directory: Path, policy: Policy) -> None:
    from frhead_core.progress import terminal_reporter
    from pipeline import work_lock
    from pipeline.cleaning.plan import plan_cleaning
    from pipeline.cleaning.removal import remove
    from pipeline.cleaning.texts import cleaning_text

    with work_lock.alone(work_directory) as free:
        cleaning = plan_cleaning(work_directory, policy, free=free)
        click.echo(cleaning_text(cleaning))
        if cleaning.items:
            remove(cleaning, terminal_reporter())
            click.echo("removed")


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(seconds_of(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _kinds(text: str) -> tuple[str, ...]:
    known = _KINDS.split(",")
    given = tuple(name.strip() for name in text.split(","))
    for name in given:
        if name not in known:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}")
    return given
