# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead submit``: a run on a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipeline import cluster_options, options


@click.command("submit", cls=options.AssignmentsCommand)
@options.recipe_options
@click.option(
    "--raw",
    required=True,
    multiple=True,
    metavar="PLACE",
    help="Raw data, as the cluster finds them: an s3:// address, or a path in its pods. May be "
    "repeated.",
)
@options.modalities_option()
@options.given_models_option
@options.champions_option(
    required=False,
    text="Where champions lie, as the cluster finds them, to compare with.",
    local=False,
)
@click.option("--name", help="Of the run.  [default: benchmark, date and time]")
@click.option("--experiment", default="frhead", show_default=True, help="Group of runs.")
@click.option(
    "--service-account", default="", help="Of the pods.  [default: the profile's, or the cluster's]"
)
@click.option("--pipeline-root", default="", help="For artifacts.  [default: the cluster's]")
@click.option(
    "--pipeline", type=options.FILE, help="Written by `frhead compile`.  [default: compiled now]"
)
@cluster_options.api_options
def command(
    benchmark: str,
    raw: tuple[str, ...],
    modalities: str | None,
    weights: Iterable[tuple[str, str]],
    champions: str,
    name: str | None,
    experiment: str,
    service_account: str,
    pipeline_root: str,
    pipeline: Path | None,
    **given: Any,
) -> None:
    """Run the pipeline of BENCHMARK on a Kubeflow Pipelines cluster.

    The compiled pipeline is uploaded if the cluster does not have the very same one yet. What an
    earlier run made from the same data, settings and code is used again.

    Example: frhead submit nw-ucla --raw s3://datasets/all_sqe.zip --profile gpu-cluster.yaml

    Example: frhead submit nw-ucla --raw s3://datasets/all_sqe.zip
    --endpoint https://kubeflow.example.org/pipeline --namespace team --token-file token
    """
    where, changes = cluster_options.apart(given, cluster_options.API_NAMES)
    recipe = options.chosen_recipe(benchmark, **changes)
    places = options.by_modality(weights)
    chosen = options.chosen_modalities(modalities or ",".join(places) or None)

    profile = cluster_options.given_profile(where)
    if profile is not None:
        options.check_shares(recipe, profile.steps.training.process_count())

    from pipeline.submission import Job, submit

    job = Job(
        recipe=recipe,
        modalities=chosen,
        given=options.given_models(places, recipe, chosen, on_cluster=True),
        raw=",".join(sorted(raw)),
        champions=champions,
        experiment=experiment,
        service_account=service_account,
        pipeline_root=pipeline_root,
        pipeline=pipeline,
        profile=profile,
    )
    run_name = name or f"{recipe.name} {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"
    run_id = submit(cluster_options.kubeflow_api(where), job, run_name)
    click.echo(f"run: {run_id}  ({run_name})")
    cluster = "--profile" if where["profile"] else "--endpoint"
    click.echo(f"watch it: frhead runs watch {run_id} {cluster} {where[cluster.strip('-')]}")
