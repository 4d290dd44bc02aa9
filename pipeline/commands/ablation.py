# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead ablation``: what the versions of the FR-Head are worth."""

from __future__ import annotations

from typing import Any

import click

from pipeline import options


@click.command("ablation")
@options.recipe_options
@click.option(
    "--versions",
    help="Versions of the head, with commas: no head,V0,V1,V2,NO FN,NO FP,NO FN & FP; hyphens may "
    "stand for blanks.  [default: all]",
)
@options.seeds_option
@options.modalities_option("joint")
@options.local_run_options
def command(
    benchmark: str,
    versions: str | None,
    seeds: tuple[int, ...] | None,
    modalities: str,
    **given: Any,
) -> None:
    """Train without the FR-Head and with each of its versions, and compare them.

    The baseline is the model without head, or else the first version. One run follows the other;
    data are prepared once, a run that fails does not keep the others from running, and after an
    interruption the same command goes on.

    Example: frhead ablation nw-ucla --raw all_sqe.zip --versions no-head,V0,V1 --seeds 1,2,3
    """
    how, changes = options.apart(given)
    recipe = options.chosen_recipe(benchmark, **changes)
    chosen = options.chosen_modalities(modalities)

    from pipeline.plans import HEAD_VERSIONS, ablation_plan

    names = list(HEAD_VERSIONS) if versions is None else versions.split(",")
    plan = ablation_plan(recipe, names, seeds, chosen)

    from pipeline.experiments import run_and_show

    run_and_show(plan, how)
