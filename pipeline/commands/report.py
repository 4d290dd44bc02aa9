# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead report``: models and scores in, one page out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from pipeline import options

_STEPS = ("raw_bodies", "denoised", "sequences")


@click.command("report", cls=options.AssignmentsCommand)
@options.benchmark_argument
@click.option(
    "--models",
    required=True,
    multiple=True,
    type=options.AssignmentType(),
    help="Model folders by modality.",
)
@click.option(
    "--scores",
    required=True,
    multiple=True,
    type=options.AssignmentType(),
    help="Folders of score files by modality, from `frhead evaluate`.",
)
@click.option(
    "--prepared", type=options.FOLDER, help="Folder from `frhead prepare`, to show the sequences."
)
@click.option("--output", required=True, type=options.FILE, help="The HTML file to write.")
def command(
    benchmark: str,
    models: Iterable[tuple[str, str]],
    scores: Iterable[tuple[str, str]],
    prepared: Path | None,
    output: Path,
) -> None:
    """Write the report of trained and evaluated modalities as one self-contained HTML file.

    Example: frhead report nw-ucla --models joint=models/joint bone=models/bone
    --scores joint=scores/joint bone=scores/bone --prepared prepared --output report.html
    """
    from frhead_core.config import load_recipe
    from frhead_core.errors import InputError
    from frhead_core.evaluation.report import write_report
    from frhead_core.evaluation.run_results import (
        ModalityFolders,
        RunInputs,
        accuracies_text,
        report_on,
    )

    model_places, score_places = options.by_modality(models), options.by_modality(scores)
    if model_places.keys() != score_places.keys():
        raise InputError(
            "models and scores are of different modalities",
            field="--scores",
            found=", ".join(score_places),
            expected=", ".join(model_places),
        )
    run = report_on(
        RunInputs(
            recipe=load_recipe(benchmark),
            modalities=[
                ModalityFolders(Path(model_places[name]), Path(score_places[name]), name)
                for name in model_places
            ],
            preparation=[prepared / step for step in _STEPS] if prepared else [],
            store=prepared / "sequences" if prepared else None,
        )
    )
    write_report(output, run)
    click.echo(accuracies_text(run))
    click.echo(f"report: {output}")
