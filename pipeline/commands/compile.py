# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead compile``: the pipeline as a file for Kubeflow Pipelines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pipeline import options

_NO_PROFILE = (
    "warning: without --profile no step asks for a GPU or has limits, and checkpoints lie in the "
    "pod and end with it: a training step that is preempted starts again from its first epoch"
)


@click.command("compile", cls=options.AssignmentsCommand)
@options.recipe_options
@click.option("--output", required=True, type=options.FILE, help="The YAML file to write.")
@click.option("--modalities", help="Which to train, with commas between.  [default: all]")
@options.given_models_option
@click.option(
    "--profile",
    "profile_file",
    type=options.FILE,
    help="The cluster: images, nodes, GPUs, limits, object store, login (docs/cluster.md).",
)
@click.option(
    "--kubernetes-manifests",
    type=options.FILE,
    help="Write the pipeline as a Pipeline and a PipelineVersion for kubectl as well.",
)
@click.option(
    "--launcher-config",
    type=options.FILE,
    help="Write the ConfigMap kfp-launcher, which tells a namespace its object store, as well.",
)
def command(
    benchmark: str,
    output: Path,
    modalities: str | None,
    weights: Iterable[tuple[str, str]],
    profile_file: Path | None,
    kubernetes_manifests: Path | None,
    launcher_config: Path | None,
    **changes: Any,
) -> None:
    """Compile the pipeline of a benchmark to KFP v2 YAML; the raw data is given when it is run.

    With --weights the pipeline evaluates models that lie in object storage, instead of training
    these modalities. They are read now, so that other contents in the same place are noticed.

    Example: frhead compile nw-ucla --profile gpu-cluster.yaml --output pipeline.yaml

    Example: frhead compile nw-ucla --weights joint=s3://models/joint --output pipeline.yaml
    """
    if profile_file is None and (kubernetes_manifests or launcher_config):
        raise click.UsageError("--kubernetes-manifests and --launcher-config need a --profile")
    recipe = options.chosen_recipe(benchmark, **changes)
    places = options.by_modality(weights)
    chosen = options.chosen_modalities(modalities or ",".join(places) or None)

    from pipeline import compiling
    from pipeline.arguments import pipeline_arguments
    from pipeline.profile import read_profile

    models = options.given_models(places, recipe, chosen, on_cluster=True)
    arguments = pipeline_arguments(recipe, chosen, models)
    if profile_file is None:
        compiling.compile_pipeline(arguments, None, output)
        click.echo(_NO_PROFILE, err=True)
    else:
        profile = read_profile(profile_file)
        options.check_shares(recipe, profile.steps.training.process_count())
        compiling.compile_pipeline(arguments, profile, output)
        if kubernetes_manifests:
            title = recipe.title or recipe.name
            compiling.write_kubernetes_manifests(arguments, profile, title, kubernetes_manifests)
            click.echo(f"manifests: {kubernetes_manifests}")
        if launcher_config:
            compiling.write_launcher_config(profile, launcher_config)
            click.echo(f"launcher configuration: {launcher_config}")
    click.echo(f"pipeline: {output}")
