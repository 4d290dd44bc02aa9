"""What can go wrong in a way that the user can mend, and the one form in which it is said."""

from __future__ import annotations

from pathlib import Path


class FRHeadError(Exception):
    """Base of every error whose message is meant for the user; the process then exits with 2."""

    exit_code = 2


class InputError(FRHeadError):
    """Something given to the program is wrong: a file, a field of it, or an argument.

    The message names, as far as they are known, the file and line, the field, what was found,
    what was expected, and what to do.

    Args:
        problem: One sentence on what is wrong, without the place.
        file: The file (or directory, or URI) concerned.
        line: The 1-based line in that file.
        field: The key, column, option or sample concerned.
        found: What was found there.
        expected: What would have been right.
        hint: What to do next.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        field: str | None = None,
        found: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(self._text())

    def _text(self) -> str:
        place = "" if self.file is None else self.file
        if self.line is not None:
            place += f":{self.line}"
        parts = [part for part in (place, self.field, self.problem) if part]
        text = ": ".join(parts)
        if self.found is not None:
            text += f"; found {self.found}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.hint is not None:
            text += f". {self.hint}"
        return text


class RecipeError(InputError):
    """A recipe, or a setting that overrides one, is not valid."""


class QuarantineLimitError(InputError):
    """More recordings are unusable than the recipe tolerates."""


class CheckpointError(InputError):
    """A checkpoint cannot be written, read, or continued from."""


class NonFiniteLossError(FRHeadError):
    """The training loss became infinite or not a number."""


class LostProcessError(FRHeadError):
    """One of the processes that train a model together has ended, which is nobody's mistake."""

    exit_code = 1


class ExportError(FRHeadError):
    """A model in another format does not compute what the model computes."""
