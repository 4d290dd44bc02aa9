# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead ensemble``: score files in, accuracies out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import options

if TYPE_CHECKING:
    from frhead_core.config import Modality, Recipe
    from frhead_core.evaluation.ensemble import WeightsOrigin
    from frhead_core.evaluation.scores import Scores

Pairs = Iterable[tuple[str, str]]


@click.command("ensemble", cls=options.AssignmentsCommand)
@click.option("--benchmark", required=True, help="The benchmark that the scores are of.")
@click.option(
    "--scores",
    required=True,
    multiple=True,
    type=options.AssignmentType(),
    help="Score files by modality: ours (.npz) or the authors' (.pkl).",
)
@click.option(
    "--weights",
    multiple=True,
    type=options.AssignmentType(),
    help="Weights by modality.  [default: the benchmark's]",
)
@click.option(
    "--search-weights-on",
    multiple=True,
    type=options.AssignmentType(),
    help="Score files of held-out training samples, to search the weights on.",
)
@click.option(
    "--data",
    type=options.FOLDER,
    help="Sequence store, for the authors' scores on NTU RGB+D: they name no recordings.",
)
@click.option("--output", type=options.FILE, help="For the combined scores (.npz).")
def command(
    benchmark: str,
    scores: Pairs,
    weights: Pairs,
    search_weights_on: Pairs,
    data: Path | None,
    output: Path | None,
) -> None:
    """Combine the scores of several modalities, and print the accuracies.

    Example: frhead ensemble --benchmark nw-ucla --scores joint=joint.npz bone=bone.npz
    --weights joint=0.6 bone=0.4 --output ensemble.npz
    """
    from frhead_core.config import load_recipe
    from frhead_core.evaluation.ensemble import EnsembleResult, combine
    from frhead_core.evaluation.tables import accuracy_table

    recipe = load_recipe(benchmark)
    given = _read(scores, recipe, data)
    chosen, origin = _weights(recipe, given, weights, search_weights_on)
    combined = combine(given, chosen)
    which = combined.metadata.get("which")
    result = EnsembleResult(
        weights=chosen,
        origin=origin,
        last=None if which == "best_on_test" else combined,
        best_on_test=combined if which == "best_on_test" else None,
    )
    click.echo(accuracy_table(given, recipe, result))
    if output is not None:
        combined.save(output)
        click.echo(f"combined scores: {output}")


def _read(pairs: Pairs, recipe: Recipe, data: Path | None = None) -> Mapping[Modality, Scores]:
    from frhead_core.data.store import SequenceStore
    from frhead_core.evaluation.author_pickles import samples_of
    from frhead_core.evaluation.scores import read_scores

    samples = None if data is None else samples_of(SequenceStore.open(data), recipe.name)
    return {
        modality: read_scores(Path(file), recipe=recipe, modality=modality, samples=samples)
        for modality, file in options.by_modality(pairs).items()
    }


def _weights(
    recipe: Recipe, scores: Mapping[Modality, Scores], given: Pairs, search_on: Pairs
) -> tuple[Mapping[Modality, float], WeightsOrigin]:
    from frhead_core.evaluation.ensemble import check_same_models, recipe_weights, search_weights

    if given and search_on:
        raise click.UsageError("give --weights or --search-weights-on, not both")
    if search_on:
        held_out = _read(search_on, recipe)
        check_same_models(held_out, scores)
        return search_weights(held_out), "searched"
    if given:
        weights = options.weights_by_modality(given)
        idle = [name for name in weights if name not in scores]
        if idle:
            raise click.BadParameter(f"no scores of {', '.join(idle)}", param_hint="--weights")
        return weights, "given"
    every = recipe_weights(recipe)
    return {modality: every[modality] for modality in scores}, "benchmark"
