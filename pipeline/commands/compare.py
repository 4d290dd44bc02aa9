# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead compare``: two models on the same samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import options

if TYPE_CHECKING:
    from frhead_core.evaluation.scores import Scores


@click.command("compare")
@click.argument("a", type=options.PATH)
@click.argument("b", type=options.PATH)
@click.option(
    "--which",
    default="last",
    show_default=True,
    help="Epoch that was kept: last, best_on_test, or validation_last for the held-out part.",
)
@click.option("--benchmark", help="The benchmark of the scores; the authors' (.pkl) need it.")
@click.option(
    "--data",
    type=options.FOLDER,
    help="Sequence store, for the authors' scores on NTU RGB+D: they name no recordings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(
    a: Path, b: Path, which: str, benchmark: str | None, data: Path | None, as_json: bool
) -> None:
    """Compare two models on the same samples: is B better than A?

    A and B are score files, folders of them, results of runs, or folders with the results of
    several seeds. For each modality: McNemar's exact test of the samples that one alone got right,
    a bootstrap interval of the difference, and gains and losses by class; with several seeds a
    sign-flip test over them.

    Example: frhead compare runs/without-head/results runs/with-head/results
    """
    import json

    from frhead_core.evaluation.compare import compare
    from frhead_core.evaluation.compare_tables import comparisons_text, comparisons_values
    from pipeline.score_places import find_scores, pairs_of

    read = _reader(benchmark, data)
    pairs = pairs_of(find_scores(a, which, read), find_scores(b, which, read))
    sides = (f"A ({a})", f"B ({b})")
    comparisons = {name: compare(*pair, names=sides) for name, pair in pairs.items()}
    if as_json:
        values = {"a": str(a), "b": str(b), **comparisons_values(comparisons)}
        click.echo(json.dumps(values, indent=2))
    else:
        click.echo(f"A: {a}\nB: {b}\n{comparisons_text(comparisons)}")


def _reader(benchmark: str | None, data: Path | None) -> Callable[[Path], Scores]:
    from frhead_core.config import load_recipe
    from frhead_core.data.store import SequenceStore
    from frhead_core.errors import InputError
    from frhead_core.evaluation.author_pickles import samples_of
    from frhead_core.evaluation.scores import Scores, read_scores

    if benchmark is None:

        def load(file: Path) -> Scores:
            if file.suffix == ".pkl":
                raise InputError(
                    "does not say what it is about", file=file, hint="Give the --benchmark"
                )
            return Scores.load(file)

        return load
    recipe = load_recipe(benchmark)
    samples = None if data is None else samples_of(SequenceStore.open(data), recipe.name)
    return lambda file: read_scores(file, recipe=recipe, samples=samples)
