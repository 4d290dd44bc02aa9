# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead run``: raw recordings in, report out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pipeline import options
from pipeline.run_request import run_request


@click.command("run", cls=options.AssignmentsCommand)
@options.recipe_options
@options.seeds_option
@options.modalities_option()
@options.given_models_option
@options.champions_option(
    required=False,
    text="Compare with the champion that lies there, a directory or s3:// address, and become the "
    "champion if the recipe's gate holds.",
)
@options.local_run_options
@options.name_option
def command(
    benchmark: str,
    seeds: tuple[int, ...] | None,
    modalities: str | None,
    weights: Iterable[tuple[str, str]],
    champions: str,
    name: str,
    **given: Any,
) -> None:
    """Run the whole pipeline on this machine: prepare, train, evaluate, ensemble, report.

    BENCHMARK is one that `frhead benchmarks` lists, or a recipe of your own (.yaml). What an
    earlier run has made from the same data, settings and code is used again; after an
    interruption the same command goes on. With --seeds there is one run for each seed, and one
    table and report of all of them.

    With --weights nothing is trained for these modalities: the given models, from an earlier run,
    `frhead train` or `frhead import-weights`, are evaluated, each by its own recipe.

    Example: frhead run nw-ucla --raw all_sqe.zip --epochs 2 --modalities joint,bone

    Example: frhead run nw-ucla --raw all_sqe.zip --weights joint=models/joint bone=models/bone

    Example: frhead run nw-ucla --raw all_sqe.zip --champions champions

    Example: frhead run nw-ucla --raw s3://data/all_sqe.zip --pipeline-root s3://results/frhead
    """
    request = run_request(benchmark, seeds, modalities, weights, champions, name, **given)
    if request.seeds is not None:
        from pipeline.experiments import run_and_show
        from pipeline.plans import seeds_plan

        run_and_show(seeds_plan(request.recipe, request.seeds, request.modalities), request.how)
        return

    from frhead_core.evaluation.scores import ACCURACIES
    from pipeline.local_run import LocalRun, run_locally
    from pipeline.results import REPORT

    run = LocalRun(
        recipe=request.recipe,
        modalities=request.modalities,
        given=options.given_models(request.weights, request.recipe, request.modalities),
        champions=champions,
        **request.how,
    )
    results = run_locally(run, name)
    click.echo()
    click.echo((results / ACCURACIES).read_text(encoding="utf-8"))
    if champions:
        click.echo(_promotion_text(results))
    click.echo(f"report: {results / REPORT}")


def _promotion_text(results: Path) -> str:
    from pipeline.results import PROMOTION_JSON, PROMOTION_PAGE

    decision = json.loads((results / PROMOTION_JSON).read_text(encoding="utf-8"))
    page = results / PROMOTION_PAGE
    return f"{decision['outcome']}: {decision['reason']}\npromotion: {page}"
