# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead run``: raw recordings in, report out."""

from __future__ import annotations

from typing import Any

import click

from pipeline import options


@click.command("run")
@options.recipe_options
@options.seeds_option
@options.modalities_option()
@options.local_run_options
def command(
    benchmark: str,
    seeds: tuple[int, ...] | None,
    modalities: str | None,
    **given: Any,
) -> None:
    """Run the whole pipeline on this machine: prepare, train, evaluate, ensemble, report.

    BENCHMARK is one that `frhead benchmarks` lists, or a recipe of your own (.yaml). What an
    earlier run has made from the same data, settings and code is used again; after an
    interruption the same command goes on. With --seeds there is one run for each seed, and one
    table and report of all of them.

    Example: frhead run nw-ucla --raw all_sqe.zip --epochs 2 --modalities joint,bone
    """
    how, changes = options.apart(given)
    if seeds is not None and changes["seed"] is not None:
        raise click.UsageError("give --seed or --seeds, not both")
    recipe = options.chosen_recipe(benchmark, **changes)
    chosen = options.chosen_modalities(modalities)
    options.check_shares(recipe, how["processes"])
    if seeds is not None:
        from pipeline.experiments import run_and_show
        from pipeline.plans import seeds_plan

        run_and_show(seeds_plan(recipe, seeds, chosen), how)
        return

    from frhead_core.evaluation.scores import ACCURACIES
    from pipeline.local_run import LocalRun, run_locally
    from pipeline.results import REPORT

    results = run_locally(LocalRun(recipe=recipe, modalities=chosen, **how))
    click.echo()
    click.echo((results / ACCURACIES).read_text(encoding="utf-8"))
    click.echo(f"report: {results / REPORT}")
