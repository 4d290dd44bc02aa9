# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that reads the raw files."""

from kfp import dsl
from kfp.dsl import Dataset, Markdown, Output

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def extract_raw_skeletons(
    raw: str,
    dataset: str,
    skeleton: str,
    preparation: str,
    data_fingerprint: str,
    code_version: str,
    raw_bodies: Output[Dataset],
    report: Output[Markdown],
) -> None:
    """Read all tracked bodies of all recordings into one packed directory.

    Args:
        raw: Directory or zip archive with the raw files, also as ``s3://bucket/key``; several with
            commas between them.
        dataset: Name of the dataset.
        skeleton: Name of the joint layout, or a layout of one's own as JSON.
        preparation: The recipe's preparation settings, as JSON.
        data_fingerprint: Fingerprint of the raw data.
        code_version: Version of the code that this step uses.
        raw_bodies: All tracked bodies, index, and quarantined recordings.
        report: What was read and what was left out.
    """
    from components.runtime import progress_directory, step

    with step() as reporter:
        from pathlib import Path

        from components.artifacts import describe
        from components.object_storage.ranged_file import opened_archive
        from components.sections import preparation_from_json, skeleton_from_json
        from frhead_core.data.extraction import extract_raw_skeletons
        from frhead_core.data.raw_files import raw_data

        extract_raw_skeletons(
            dataset,
            raw_data(raw),
            Path(raw_bodies.path),
            preparation_from_json(preparation),
            data_fingerprint,
            reporter=reporter,
            progress_directory=progress_directory(
                "extract_raw_skeletons",
                code_version,
                dataset,
                skeleton,
                preparation,
                data_fingerprint,
            ),
            layout=skeleton_from_json(skeleton),
            open_remote=opened_archive,
        )
        describe(raw_bodies, report)
