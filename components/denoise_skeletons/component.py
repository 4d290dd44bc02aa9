# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that chooses the actors among the tracked bodies."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Output

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def denoise_skeletons(
    raw_bodies: Input[Dataset],
    dataset: str,
    preparation: str,
    code_version: str,
    denoised: Output[Dataset],
    report: Output[Markdown],
) -> None:
    """Keep the one or two actors of each recording; datasets without noise pass through.

    Args:
        raw_bodies: What extract_raw_skeletons made.
        dataset: Name of the dataset.
        preparation: The recipe's preparation settings, as JSON.
        code_version: Version of the code that this step uses.
        denoised: The actors of each recording.
        report: What was filtered, and by which rule.
    """
    from components.runtime import progress_directory, step

    with step() as reporter:
        from pathlib import Path

        from components.artifacts import describe
        from components.sections import preparation_from_json
        from frhead_core.data.denoising import denoise_skeletons

        denoise_skeletons(
            dataset,
            Path(raw_bodies.path),
            Path(denoised.path),
            preparation_from_json(preparation),
            reporter=reporter,
            progress_directory=progress_directory(
                "denoise_skeletons", code_version, dataset, preparation, raw_bodies.uri
            ),
        )
        describe(denoised, report)
