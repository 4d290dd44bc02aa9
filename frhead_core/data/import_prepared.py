"""Sequences that were prepared elsewhere, whatever the kind of their file."""

from __future__ import annotations

from pathlib import Path

from frhead_core.data.import_npz import import_reference_npz
from frhead_core.data.import_pyskl import import_pyskl
from frhead_core.data.step_report import StepReport
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter

_ZIP_START = b"PK"


def import_prepared(
    file: Path, benchmark: str, output: Path, reporter: Reporter = SILENT
) -> StepReport:
    """Make a sequence store of a file of the reference (.npz) or of PYSKL (.pkl).

    The kind is told by the content of the file, not by its name.

    Args:
        file: The file.
        benchmark: Name of a recipe of its dataset.
        output: The store to make.
        reporter: Told of the progress.

    Raises:
        InputError: If the file is neither, is damaged, or holds what such files do not.
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    try:
        with file.open("rb") as content:
            start = content.read(len(_ZIP_START))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=file) from error
    reader = import_reference_npz if start == _ZIP_START else import_pyskl
    return reader(file, benchmark, output, reporter)
