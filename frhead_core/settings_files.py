"""YAML files of settings, and what is wrong with one: in which line, under which key.

Checking is pydantic's; here its findings become one sentence that names the place.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from frhead_core.errors import RecipeError

_Settings = TypeVar("_Settings")
Place = tuple[str, ...]
"""The keys that lead to a value, from the outermost; places in lists as numbers from 0."""


class MisplacedError(ValueError):
    """Something is wrong at a place within the section that is being checked."""

    def __init__(self, problem: str, *place: str | int) -> None:
        self.place = tuple(map(str, place))
        super().__init__(problem)


def read_settings(path: Path, what: str) -> tuple[dict[str, Any], dict[Place, int]]:
    """A YAML mapping, and the 1-based line of every key and list entry.

    Args:
        path: The file.
        what: What it should be, for the message.

    Raises:
        RecipeError: If it cannot be read, is no YAML mapping, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", file=path) from error
    except UnicodeDecodeError as error:
        raise RecipeError("is not UTF-8 text", file=path) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or "is not YAML"
        raise RecipeError(f"is not valid YAML ({problem})", file=path, line=line) from error
    if not isinstance(data, dict):
        raise RecipeError(
            f"is not {what}",
            file=path,
            found=type(data).__name__,
            expected="a mapping of settings",
        )
    return data, _lines(node, path)


def read_checked(
    path: Path,
    what: str,
    kind: TypeAdapter[_Settings],
    known_keys: Callable[[Place], Sequence[str]],
) -> tuple[_Settings, dict[Place, int]]:
    """The settings of a file, completely checked, and the lines of :func:`read_settings`.

    Args:
        path: The file.
        what: What it should be, for the message.
        kind: What checks them.
        known_keys: The valid keys of a section.

    Raises:
        RecipeError: If it cannot be read, or a key or a value is not valid; the message names the
            line.
    """
    data, lines = read_settings(path, what)
    try:
        return kind.validate_python(data), lines
    except ValidationError as error:
        # That a key of a mapping is meant is in pydantic's places but not in the file.
        raise first_problem(error, path, lines, known_keys, left_out=("[key]",)) from error


def _lines(node: yaml.Node | None, file: Path, prefix: Place = ()) -> dict[Place, int]:
    """1-based line of every key and entry below a node; no key may come twice."""
    lines: dict[Place, int] = {}
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            place = (*prefix, str(number))
            lines[place] = entry.start_mark.line + 1
            lines |= _lines(entry, file, place)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*prefix, str(key.value))
            line = key.start_mark.line + 1
            if place in lines:
                raise RecipeError(
                    f"is there twice, first in line {lines[place]}",
                    file=file,
                    line=line,
                    field=".".join(place),
                )
            lines[place] = line
            lines |= _lines(value, file, place)
    return lines


def first_problem(
    error: ValidationError,
    file: Path | None,
    lines: Mapping[Place, int],
    known_keys: Callable[[Place], Sequence[str]],
    *,
    left_out: Sequence[str] = (),
    below: Place = (),
) -> RecipeError:
    """The first problem that pydantic found, as one sentence that names its place.

    A misspelt key shows up twice, as one that is missing and one that is unknown; the unknown one
    is what the user wrote, so it is the one to speak of.

    Args:
        error: What pydantic found.
        file: Where the settings come from; None for the command line.
        lines: From :func:`read_settings`.
        known_keys: The valid keys of a section.
        left_out: What is in pydantic's places but not in the file.
        below: Where in the file the checked section is.
    """
    problems = error.errors()
    problem = next((p for p in problems if p["type"] == "unexpected_keyword_argument"), problems[0])
    cause = problem.get("ctx", {}).get("error")
    inner = cause.place if isinstance(cause, MisplacedError) else ()
    place = (*below, *(str(part) for part in problem["loc"] if part not in left_out), *inner)
    field = ".".join(place) or None
    line = lines.get(place)
    if problem["type"] == "unexpected_keyword_argument":
        hint = nearest(place[-1], known_keys(place[:-1]))
        return RecipeError("unknown key", file=file, line=line, field=field, hint=hint)
    if problem["type"] == "missing":
        return RecipeError("is missing", file=file, line=lines.get(place[:-1]), field=field)
    if problem["type"] == "value_error":
        return RecipeError(str(cause), file=file, line=line, field=field)
    return RecipeError(
        _lower_first(problem["msg"]),
        file=file,
        line=line,
        field=field,
        found=repr(problem["input"]),
    )


def nearest(name: str, known: Sequence[str]) -> str | None:
    """A hint at what was meant by a name, if anything is known."""
    meant = closest(name, known)
    if meant is not None:
        return meant
    return f"Known: {', '.join(sorted(known))}." if known else None


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def closest(name: str, known: Iterable[str]) -> str | None:
    """A hint at what a misspelt name was probably meant to be, if any of the known ones is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else None
