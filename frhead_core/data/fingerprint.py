"""What changes when the raw data change."""

from __future__ import annotations

from frhead_core.data.raw_files import OpenArchive, Place, fingerprint_files, open_raw_files
from frhead_core.data.registry import find_dataset
from frhead_core.progress import SILENT, Reporter


def fingerprint(
    dataset: str,
    raw: Place,
    open_remote: OpenArchive | None = None,
    reporter: Reporter = SILENT,
) -> str:
    """SHA-256 over the names, sizes and contents of the raw files, as hex.

    A zip archive is not read through: the CRC-32 of its directory stand for the contents, wherever
    it is.

    Args:
        dataset: Name of the dataset.
        raw: Where they are; several places are separated by commas.
        open_remote: Opens archives that are named by a URI.
        reporter: Told of the progress; loose files are read to their ends.

    Raises:
        InputError: If the dataset is unknown or the raw data cannot be opened.
    """
    with open_raw_files(raw, find_dataset(dataset).suffix, open_remote) as files:
        return fingerprint_files(files, reporter)
