# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead import-weights``: the authors' weights as a model of ours."""

from __future__ import annotations

from pathlib import Path

import click

from frhead_core.backbones import BACKBONES
from pipeline import options


@click.command("import-weights")
@click.argument("file", type=options.FILE_OR_URI)
@click.option(
    "--backbone",
    help=f"Backbone of the weights: {', '.join(BACKBONES)}.  [default: as their names tell]",
)
@click.option("--benchmark", required=True, help="Benchmark that they were trained for.")
@click.option(
    "--modality", default="joint", show_default=True, help="Modality that they were trained on."
)
@click.option("--output", required=True, type=options.FOLDER, help="For the model.")
def command(
    file: Path | str, backbone: str | None, benchmark: str, modality: str, output: Path
) -> None:
    """Turn a weights file of the reference implementation (.pt) into a model.

    FILE may be an s3://bucket/key. Backbone, width, outputs and whether there is an FR-Head are
    recognised.

    Example: frhead import-weights FILE.pt --benchmark nw-ucla --output model
    """
    from frhead_core.config import check_modality, load_recipe, override

    given = {} if backbone is None else {"model.backbone": backbone}
    recipe = override(load_recipe(benchmark), given)
    chosen = check_modality(modality)

    from frhead_core.training.import_weights import import_weights
    from pipeline.local_copies import local_copy

    copy = local_copy(file)
    report = import_weights(copy, backbone=backbone, recipe=recipe, modality=chosen, output=output)
    click.echo(report.text)
    click.echo(f"model: {output}")
