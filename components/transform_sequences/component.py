# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that makes the sequence store."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Output

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def transform_sequences(
    denoised: Input[Dataset],
    dataset: str,
    splits: str,
    preparation: str,
    code_version: str,
    sequences: Output[Dataset],
    report: Output[Markdown],
) -> None:
    """Centre the sequences and mark which train and which test.

    Args:
        denoised: What denoise_skeletons made.
        dataset: Name of the dataset.
        splits: Split of each benchmark that shares this store, by its name, as JSON.
        preparation: The recipe's preparation settings, as JSON.
        code_version: Version of the code that this step uses.
        sequences: The sequence store.
        report: Counts, by part of each split.
    """
    from components.runtime import progress_directory, step

    with step() as reporter:
        from pathlib import Path

        from components.artifacts import describe
        from components.sections import preparation_from_json, splits_from_json
        from frhead_core.data.transformation import transform_sequences

        transform_sequences(
            dataset,
            Path(denoised.path),
            Path(sequences.path),
            splits_from_json(splits),
            preparation_from_json(preparation),
            reporter=reporter,
            progress_directory=progress_directory(
                "transform_sequences", code_version, dataset, splits, preparation, denoised.uri
            ),
        )
        describe(sequences, report)
