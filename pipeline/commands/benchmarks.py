# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead benchmarks``: what is supported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from frhead_core.config import Recipe

_HEADER = ("name", "title", "classes", "split", "published", "raw data")


@click.command("benchmarks")
def command() -> None:
    """List the benchmarks: split, published ensemble accuracy, whether raw data can be prepared.

    Example: frhead benchmarks
    """
    from rich.console import Console
    from rich.table import Table

    from frhead_core.config import benchmark_names, load_recipe

    table = Table(*_HEADER, box=None, pad_edge=False)
    for name in benchmark_names():
        table.add_row(*_row(load_recipe(name)))
    # A fixed width where there is no terminal, so that nothing is cut in a pipe.
    console = Console()
    Console(width=None if console.is_terminal else 120).print(table)


def _row(recipe: Recipe) -> tuple[str, ...]:
    published = "" if recipe.published is None else f"{recipe.published.ensemble:.2f} %"
    return (
        recipe.name,
        recipe.title,
        str(recipe.classes),
        recipe.split.column,
        published,
        "can be prepared" if _can_be_prepared(recipe) else "not yet",
    )


def _can_be_prepared(recipe: Recipe) -> bool:
    from frhead_core.data.registry import DATASETS

    return recipe.dataset in DATASETS
