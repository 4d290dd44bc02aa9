# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead run``: raw recordings in, report out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import options


@click.command("run")
@options.recipe_options
@options.raw_option
@click.option(
    "--modalities",
    help="Which to train, with commas: joint,bone,joint_motion,bone_motion.  [default: all]",
)
@click.option(
    "--parallel-modalities",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="How many modalities to train at the same time, sharing the cores.",
)
@options.processes_option
@options.threads_of_each_option
@options.accept_different_threads_option
@options.accept_different_processes_option
@click.option(
    "--work-directory",
    type=options.FOLDER,
    default=Path("runs"),
    show_default=True,
    help="For runs, artifacts, cache and checkpoints.",
)
@click.option(
    "--checkpoint-root",
    type=options.FOLDER,
    help="For checkpoints.  [default: checkpoints in the work directory]",
)
@click.option(
    "--output", type=options.FOLDER, help="For the results.  [default: in the run's folder]"
)
def command(
    benchmark: str,
    raw: Path,
    modalities: str | None,
    parallel_modalities: int,
    processes: int,
    threads: int | None,
    accept_different_threads: bool,
    accept_different_processes: bool,
    work_directory: Path,
    checkpoint_root: Path | None,
    output: Path | None,
    **changes: Any,
) -> None:
    """Run the whole pipeline on this machine: prepare, train, evaluate, ensemble, report.

    BENCHMARK is one that `frhead benchmarks` lists, or a recipe of your own (.yaml). What an
    earlier run has made from the same data, settings and code is used again; after an
    interruption the same command goes on.

    Example: frhead run nw-ucla --raw all_sqe.zip --epochs 2 --modalities joint,bone
    """
    recipe = options.chosen_recipe(benchmark, **changes)
    chosen = options.chosen_modalities(modalities)
    options.check_shares(recipe, processes)

    from frhead_core.evaluation.scores import ACCURACIES
    from pipeline.local_run import LocalRun, run_locally
    from pipeline.results import REPORT

    results = run_locally(
        LocalRun(
            recipe=recipe,
            modalities=chosen,
            raw=raw,
            work_directory=work_directory,
            output=output,
            checkpoint_root=checkpoint_root,
            parallel_modalities=parallel_modalities,
            processes=processes,
            threads=threads,
            accept_different_threads=accept_different_threads,
            accept_different_processes=accept_different_processes,
        )
    )
    click.echo()
    click.echo((results / ACCURACIES).read_text(encoding="utf-8"))
    click.echo(f"report: {results / REPORT}")
