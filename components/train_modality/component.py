# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that trains one modality."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def train_modality(
    sequences: Input[Dataset],
    modality: str,
    recipe: str,
    weights: str,
    weights_digest: str,
    code_version: str,
    model: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Train a recogniser on one modality, or take over a model that was given instead.

    Training goes on from its last checkpoint where there is one.

    Args:
        sequences: The sequence store.
        modality: Joint, bone, or the motion of either.
        recipe: The part of the recipe that training this modality depends on, as JSON.
        weights: Model that is given, a directory or ``s3://bucket/prefix``; empty to train one.
        weights_digest: Digest of its contents; empty to train one.
        code_version: Version of the code that this step uses.
        model: Weights of the last and of the best epoch, recipe, history and model card.
        metrics: Accuracies of the last and of the best epoch, in percent.
    """
    from components.runtime import step

    with step() as reporter:
        from pathlib import Path

        from components import runtime
        from components.artifacts import describe, flat_figures, log_metrics
        from components.given_models import model_directory
        from components.object_storage.checkpoint_keeper import checkpoint_keeper
        from frhead_core.config import check_modality, recipe_from_json
        from frhead_core.training.given_model import adopt_model
        from frhead_core.training.launch import train_in_processes
        from frhead_core.training.loop import TrainingJob

        job = TrainingJob(
            recipe=recipe_from_json(recipe),
            modality=check_modality(modality),
            store=Path(sequences.path),
            output=Path(model.path),
            checkpoint_root=runtime.checkpoint_folder(),
            code_version=code_version,
            threads=runtime.threads(),
            accept_different_threads=runtime.accept_different_threads(),
            accept_different_processes=runtime.accept_different_processes(),
            device="auto",
            checkpoint_keeper=checkpoint_keeper(runtime.checkpoint_root()),
        )
        if weights:
            with model_directory(weights, reporter) as place:
                given = adopt_model(
                    place, weights_digest, job.recipe, job.modality, job.output, reporter
                )
            figures = flat_figures(given.metadata["metrics"])
        else:
            trained = train_in_processes(job, runtime.processes(), runtime.step_reporter)
            figures = flat_figures(trained.metrics)
        describe(model)
        log_metrics(metrics, figures)
        reporter.metrics(figures)
