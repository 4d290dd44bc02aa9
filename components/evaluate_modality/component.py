# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that scores the test samples with a trained model."""

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def evaluate_modality(
    model: Input[Model],
    sequences: Input[Dataset],
    modality: str,
    code_version: str,
    scores: Output[Dataset],
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
) -> None:
    """Compute the logits of every sample of the test part, and of the validation part if held out.

    Args:
        model: What train_modality made.
        sequences: The sequence store.
        modality: The modality that the model was trained on.
        code_version: Version of the code that this step uses.
        scores: Logits of named samples, a file for each epoch that was kept, with tables.
        metrics: Accuracies in percent; parameters, operations, latency and throughput.
        confusion: Confusion matrix of the last epoch on the test part.
    """
    from components.runtime import step

    with step() as reporter:
        from pathlib import Path

        from components.artifacts import log_metrics
        from components.scoring import figures_of, log_confusion
        from frhead_core.evaluation.cost import Cost
        from frhead_core.evaluation.score_files import score_model

        files = score_model(
            Path(model.path), Path(sequences.path), Path(scores.path), reporter=reporter
        )
        cost = Cost.load(Path(scores.path))
        figures = figures_of(files) | (cost.figures() if cost else {})
        # What was measured stays out of the scores' metadata, which become part of cache keys.
        scores.metadata.update(model.metadata, modality=modality)
        log_metrics(metrics, figures)
        log_confusion(confusion, files["last"])
        reporter.metrics(figures)
