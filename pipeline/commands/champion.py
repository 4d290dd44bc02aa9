# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead champion``: who is the champion, how it came about, and going back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipeline import options

if TYPE_CHECKING:
    from components.champions import Champions

_champions_option = options.champions_option(
    required=True, text="Where champions lie: a directory or an s3:// address."
)


@click.group("champion")
def command() -> None:
    """The models that passed the gate: numbered, never changed; the highest number is the champion.

    Example: frhead champion show nw-ucla --champions champions
    """


def _subcommand(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(function: Callable[..., Any]) -> click.Command:
        return command.command(name)(options.benchmark_argument(_champions_option(function)))

    return decorate


@_subcommand("show")
@click.option("--number", type=click.IntRange(min=1), help="An older one.  [default: the highest]")
def show(benchmark: str, champions: str, number: int | None) -> None:
    """Show the champion of BENCHMARK: how it was decided, its accuracy, and where it lies.

    Example: frhead champion show nw-ucla --champions champions
    """
    from frhead_core.errors import InputError
    from pipeline.champion_texts import champion_text

    known = _champions(benchmark, champions)
    record = known.current() if number is None else known.record(number)
    if record is None:
        raise InputError(f"{benchmark} has no champion yet", file=champions)
    click.echo(champion_text(record, known.address(record)))


@_subcommand("history")
def history(benchmark: str, champions: str) -> None:
    """List all champions of BENCHMARK, newest first.

    Example: frhead champion history nw-ucla --champions champions
    """
    from pipeline.champion_texts import history_text

    click.echo(history_text(list(_champions(benchmark, champions).history())))


@_subcommand("rollback")
@click.option("--to", "number", required=True, type=click.IntRange(min=1), help="Its number.")
@click.option("--reason", required=True, help="Why, for the history.")
def rollback(benchmark: str, champions: str, number: int, reason: str) -> None:
    """Make an older champion of BENCHMARK the champion again.

    It gets a new number, which refers to the older one; nothing is deleted.

    Example: frhead champion rollback nw-ucla --champions champions --to 3 --reason "camera moved"
    """
    from components.champions import roll_back

    record = roll_back(_champions(benchmark, champions), number, reason)
    click.echo(f"champion {record.number}: the models of champion {number}")


def _champions(benchmark: str, place: str) -> Champions:
    from components.champion_place import champion_place
    from components.champions import Champions
    from frhead_core.config import load_recipe

    return Champions(champion_place(place), load_recipe(benchmark).name)
