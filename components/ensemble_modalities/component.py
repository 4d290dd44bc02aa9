# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that combines the modalities and writes the report of the run."""

from typing import List  # noqa: UP035 - kfp 2.17 reads List, not list, of artifacts

from kfp import dsl
from kfp.dsl import HTML, Dataset, Input, Metrics, Model, Output

from components.images import TRAINER_IMAGE


@dsl.component(base_image=TRAINER_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def ensemble_modalities(
    models: Input[List[Model]],  # noqa: UP006
    scores: Input[List[Dataset]],  # noqa: UP006
    raw_bodies: Input[Dataset],
    denoised: Input[Dataset],
    sequences: Input[Dataset],
    recipe: str,
    code_version: str,
    ensemble: Output[Dataset],
    metrics: Output[Metrics],
    report: Output[HTML],
) -> None:
    """Combine the scores of the modalities, and report on the whole run.

    Args:
        models: What train_modality made, one for each modality.
        scores: What evaluate_modality made, in the same order.
        raw_bodies: What extract_raw_skeletons made, for its report.
        denoised: What denoise_skeletons made, for its report.
        sequences: The sequence store, to show what was misread.
        recipe: The whole recipe, as JSON.
        code_version: Version of the code that this step uses.
        ensemble: Combined scores, and the table of accuracies as text and JSON.
        metrics: Accuracies in percent.
        report: The report of the run, one self-contained page.
    """
    from components.runtime import step

    with step() as reporter:
        from pathlib import Path

        from components.artifacts import log_metrics
        from components.scoring import figures_of
        from frhead_core.config import recipe_from_json
        from frhead_core.evaluation.report import write_report
        from frhead_core.evaluation.run_results import (
            ModalityFolders,
            RunInputs,
            report_on,
            write_ensemble,
        )

        run = report_on(
            RunInputs(
                recipe=recipe_from_json(recipe),
                modalities=[
                    ModalityFolders(Path(model.path), Path(each.path))
                    for model, each in zip(models, scores, strict=True)
                ],
                preparation=[Path(each.path) for each in (raw_bodies, denoised, sequences)],
                store=Path(sequences.path),
            )
        )
        combined = write_ensemble(run, Path(ensemble.path))
        figures = figures_of({f"ensemble_{name}": each for name, each in combined.items()})
        write_report(Path(report.path), run)
        log_metrics(metrics, figures)
        reporter.metrics(figures)
        reporter.message(f"report: {report.path}")
