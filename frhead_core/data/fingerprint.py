"""What changes when the raw data change."""

from __future__ import annotations

from pathlib import Path

from frhead_core.data.raw_files import fingerprint_files, open_raw_files
from frhead_core.data.registry import find_dataset


def fingerprint(dataset: str, raw: Path) -> str:
    """SHA-256 over the names, sizes and contents of the raw files, as hex.

    A zip archive is not read through: the CRC-32 of its directory stand for the contents.

    Raises:
        InputError: If the dataset is unknown or the raw data cannot be opened.
    """
    with open_raw_files(raw, find_dataset(dataset).suffix) as files:
        return fingerprint_files(files)
