"""The log of a step, piece by piece while it grows."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.console.failures import NoSuchThingError
from pipeline.run_folder import RunFolder
from pipeline.step_processes import LOG_NAME

MOST_BYTES = 256 * 1024


@dataclass(frozen=True)
class LogPart:
    """A piece of a log.

    Attributes:
        text: What it says.
        offset: Where it begins, in bytes.
        next_offset: Where the next piece begins.
    """

    text: str
    offset: int
    next_offset: int


def log_part(folder: RunFolder, step: str, offset: int | None = None) -> LogPart:
    """A piece of a step's log, at most :data:`MOST_BYTES` long.

    Args:
        folder: The run.
        step: The step, by a name without separators.
        offset: Where to begin, in bytes; None for the end of what there is.

    Raises:
        NoSuchThingError: If the run has no such step.
    """
    directory = folder.steps / step
    if not directory.is_dir():
        raise NoSuchThingError(f"The run {folder.name} has no step {step}.")
    path = directory / LOG_NAME
    if not path.exists():
        return LogPart("", 0, 0)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        begin = max(0, size - MOST_BYTES) if offset is None else min(max(offset, 0), size)
        file.seek(begin)
        content = file.read(MOST_BYTES)
    return log_piece(content, begin)


def log_piece(content: bytes, begin: int) -> LogPart:
    """A piece of a log as text, without a character at its end whose bytes are not all there."""
    whole = len(content) - _bytes_of_unfinished_character(content)
    return LogPart(content[:whole].decode("utf-8", "replace"), begin, begin + whole)


def _bytes_of_unfinished_character(content: bytes) -> int:
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte < 0x80:
            return 0
        if byte >= 0xC0:  # the first byte of a character says how many it has
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if length > back else 0
    return 0
