# ruff: noqa: PLC0415 - heavy imports wait until they are needed, so that --help answers at once
"""``frhead train``: a sequence store in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline import options

_CHECKPOINTS = Path("runs/checkpoints")


@click.command("train")
@options.recipe_options
@click.option("--modality", required=True, help="joint, bone, joint_motion or bone_motion.")
@options.data_option
@click.option("--output", required=True, type=options.FOLDER, help="For the model.")
@click.option(
    "--checkpoint-root",
    type=options.FOLDER_OR_URI,
    default=_CHECKPOINTS,
    show_default=True,
    help="For checkpoints, also s3://bucket/prefix; the same as that of `frhead run` by default.",
)
@options.processes_option
@options.threads_of_each_option
@options.accept_different_threads_option
@options.accept_different_processes_option
@click.option("--workers", type=click.IntRange(min=0), default=0, help="Data loading processes.")
@options.device_option
def command(
    benchmark: str,
    modality: str,
    data: Path | str,
    output: Path,
    checkpoint_root: Path | str,
    processes: int,
    threads: int | None,
    accept_different_threads: bool,
    accept_different_processes: bool,
    workers: int,
    device: str,
    **changes: Any,
) -> None:
    """Train one modality. After an interruption the same command goes on.

    Several processes come from --processes, or from torchrun, also on several machines:
    torchrun --nproc-per-node 2 --no-python frhead train ...

    Example: frhead train nw-ucla --modality joint --data prepared/sequences --output models/joint
    """
    from frhead_core.config import check_modality

    recipe = options.chosen_recipe(benchmark, **changes)
    chosen = check_modality(modality)

    from components.object_storage.checkpoint_keeper import checkpoint_keeper
    from components.runtime import folder_of
    from frhead_core.progress import terminal_reporter
    from frhead_core.training.distributed import this_process
    from frhead_core.training.launch import train_in_processes
    from frhead_core.training.loop import TrainingJob
    from pipeline.code_version import code_version
    from pipeline.local_copies import local_copy

    job = TrainingJob(
        recipe=recipe,
        modality=chosen,
        store=local_copy(data),
        output=output,
        checkpoint_root=folder_of(checkpoint_root, _CHECKPOINTS / "mirrors"),
        code_version=code_version("train_modality"),
        threads=threads or 0,
        workers=workers,
        accept_different_threads=accept_different_threads,
        accept_different_processes=accept_different_processes,
        device=device,
        checkpoint_keeper=checkpoint_keeper(checkpoint_root),
    )
    trained = train_in_processes(job, processes, terminal_reporter)
    if not this_process().leads:
        return
    for which, figures in trained.metrics.items():
        accuracies = f"top-1 {figures['top1']:.2f} %, top-5 {figures['top5']:.2f} %"
        click.echo(f"{which}: epoch {figures['epoch']}, {accuracies}")
    click.echo(f"model: {trained.directory}")
