# ruff: noqa: PLC0415 - kfp takes the function alone to where it runs, so it brings its imports
"""The step that looks at the raw data in every run; nothing else notices that a file has changed.

Not ``from __future__ import annotations``: kfp reads the annotations as objects, here and in all
component modules.
"""

from kfp import dsl

from components.images import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)  # type: ignore[untyped-decorator]
def fingerprint_data(raw: str, dataset: str) -> str:
    """Fingerprint the raw data.

    Args:
        raw: Directory or zip archive with the raw files, also as ``s3://bucket/key``; several with
            commas between them.
        dataset: Name of the dataset.

    Returns:
        SHA-256 of the files' names, sizes and contents, as hex.
    """
    from components.runtime import step

    with step() as reporter:
        from components.object_storage.ranged_file import opened_archive
        from frhead_core.data.fingerprint import fingerprint
        from frhead_core.data.raw_files import raw_data

        data_fingerprint = fingerprint(dataset, raw_data(raw), opened_archive, reporter)
        reporter.message(f"fingerprint of {raw}: {data_fingerprint}")
    return data_fingerprint
