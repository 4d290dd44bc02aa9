"""The command that does the same as a run, for copying."""

from __future__ import annotations

import shlex
from pathlib import Path

from frhead_core.errors import FRHeadError
from pipeline.console.new_run_again import changes_of, recorded_values
from pipeline.console.new_run_checks import arguments_of
from pipeline.run_folder import RunFolder


def command_of(folder: RunFolder, work_directory: Path) -> str | None:
    """What to enter in a terminal.

    Args:
        folder: The run.
        work_directory: Where the run lies.

    Returns:
        One line; None if the run's record says too little, or its recipe is not a benchmark's
        with settings changed.
    """
    try:
        values, recipe = recorded_values(folder)
        changes = changes_of(recipe)
    except FRHeadError:
        return None
    if changes is None:
        return None
    return shlex.join(["frhead", *arguments_of(values | changes, work_directory)])
