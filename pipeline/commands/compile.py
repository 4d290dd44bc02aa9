# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead compile``: the pipeline as a file for Kubeflow Pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import options

_NO_CHECKPOINTS = (
    "warning: without --checkpoint-root the checkpoints lie in the pod and end with it: a training "
    "step that is preempted starts again from its first epoch"
)


@click.command("compile")
@options.recipe_options
@click.option("--output", required=True, type=options.FILE, help="The YAML file to write.")
@click.option("--modalities", help="Which to train, with commas between.  [default: all]")
@click.option(
    "--parallel-modalities",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many modalities to train at the same time.",
)
@click.option(
    "--gpu",
    type=click.IntRange(min=0),
    default=0,
    help="GPUs of a training step; with several, as many processes share every batch.",
)
@click.option(
    "--accelerator", default="nvidia.com/gpu", show_default=True, help="Resource name of the GPU."
)
@click.option(
    "--node-selector",
    "selectors",
    multiple=True,
    metavar="LABEL=VALUE",
    help="Label that the node of a training step must have. May be repeated.",
)
@click.option(
    "--checkpoint-root",
    help="Where training steps keep checkpoints: a folder in their pods that outlives them.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads of each training process.  [default: all cores of its node]",
)
def command(
    benchmark: str,
    output: Path,
    modalities: str | None,
    parallel_modalities: int,
    gpu: int,
    accelerator: str,
    selectors: tuple[str, ...],
    checkpoint_root: str | None,
    threads: int | None,
    **changes: Any,
) -> None:
    """Compile the pipeline of a benchmark to KFP v2 YAML; the raw data is given when it is run.

    Example: frhead compile nw-ucla --output pipeline.yaml --gpu 1
    --node-selector cloud.google.com/gke-accelerator=nvidia-l4
    """
    recipe = options.chosen_recipe(benchmark, **changes)
    chosen = options.chosen_modalities(modalities)
    options.check_shares(recipe, gpu)

    from pipeline.arguments import pipeline_arguments
    from pipeline.compiling import compile_pipeline
    from pipeline.dag import TrainerNode

    labels = tuple(map(_label, selectors))
    node = TrainerNode(gpu, accelerator, labels, checkpoint_root, threads or 0)
    compile_pipeline(pipeline_arguments(recipe, chosen), parallel_modalities, node, output)
    if checkpoint_root is None:
        click.echo(_NO_CHECKPOINTS, err=True)
    click.echo(f"pipeline: {output}")


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not LABEL=VALUE", param_hint="--node-selector")
    return key, value
