"""The index table of a dataset of the user's own: which recordings there are, and what is known.

``index.csv`` has a header with ``name``, either ``action`` (the name of a class) or ``label`` (its
number, from 0), and as far as they are known ``file``, ``setup``, ``camera``, ``performer``,
``replication`` and ``part``. Beside it may lie ``classes.txt``, the names of the classes line by
line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from frhead_core.data.own_names import ARRAYS, CLASSES, INDEX
from frhead_core.data.raw_files import DamagedFileError, Place, RawFiles
from frhead_core.data.recordings import Recording
from frhead_core.errors import InputError

_NUMBERS = ("setup", "camera", "performer", "replication")
_COLUMNS = ("name", "file", "action", "label", *_NUMBERS, "part")


@dataclass(frozen=True)
class ListedRecording:
    """A row of the table: who it is, its file in the raw data, and its part, empty if unknown."""

    recording: Recording
    file: str
    part: str


@dataclass(frozen=True)
class OwnIndex:
    """The table.

    Attributes:
        rows: In the order of the names.
        classes: Names of the classes by label.
        has_parts: Whether there is a column ``part``.
        unused_columns: Columns that mean nothing here.
    """

    rows: tuple[ListedRecording, ...]
    classes: tuple[str, ...]
    has_parts: bool
    unused_columns: tuple[str, ...]


def read_own_index(files: RawFiles, raw: Place) -> OwnIndex:
    """Read ``index.csv``, and ``classes.txt`` if it is there, from the raw data.

    Raises:
        InputError: If there is no table or several, or a row cannot be understood; line and column
            are named.
    """
    path = _find(files, raw)
    place = files.place(path)
    header, rows = _parsed(_text(files, path, place), place)
    listed = _listed_classes(files, path)
    by_name = "action" in header
    classes = _classes(rows, by_name, listed, place)
    known: dict[str, int] = {}
    recordings = []
    for line, row in rows:
        name = _name(row, known, place, line)
        known[name] = line
        label = _label(row, by_name, classes, place, line)
        numbers = {key: _number(row, key, place, line) for key in _NUMBERS}
        recording = Recording(name=name, action=label + 1, label=label, **numbers)
        file = PurePosixPath(path).parent / (row.get("file") or f"{name}{ARRAYS}")
        recordings.append(ListedRecording(recording, str(file), row.get("part", "")))
    return OwnIndex(
        rows=tuple(sorted(recordings, key=lambda each: each.recording.name)),
        classes=classes,
        has_parts="part" in header,
        unused_columns=tuple(column for column in header if column not in _COLUMNS),
    )


def _find(files: RawFiles, raw: Place) -> str:
    found = [name for name in files.names if PurePosixPath(name).name == INDEX]
    if len(found) != 1:
        raise InputError(
            f"has {'several tables' if found else 'no table'} of the recordings",
            file=raw,
            found=", ".join(found[:3]) or None,
            expected=f"one {INDEX}",
        )
    return found[0]


def _text(files: RawFiles, name: str, place: Place) -> str:
    try:
        return files.read(name).decode("utf-8-sig")
    except DamagedFileError as error:
        raise InputError(str(error), file=place) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text at byte {error.start}", file=place) from error


Rows = list[tuple[int, dict[str, str]]]
"""Rows of the table with the 1-based line in which each ends."""


def _parsed(text: str, place: Place) -> tuple[tuple[str, ...], Rows]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(column.strip() for column in next(reader, []))
        _check_header(header, place)
        rows = list(_rows(reader, header, place))
    except csv.Error as error:
        raise InputError(f"is not CSV ({error})", file=place, line=reader.line_num) from error
    if not rows:
        raise InputError("lists no recording", file=place)
    return header, rows


def _check_header(header: Sequence[str], place: Place) -> None:
    for column in header:
        if header.count(column) > 1:
            raise InputError("the column is there twice", file=place, line=1, field=column)
    named = [column for column in ("action", "label") if column in header]
    if "name" not in header or len(named) != 1:
        raise InputError(
            "the columns are not those of a table of recordings",
            file=place,
            line=1,
            found=", ".join(header) or "an empty file",
            expected="name, either action or label, and if known "
            + ", ".join(("file", *_NUMBERS, "part")),
        )


def _rows(
    reader: Iterator[list[str]], header: Sequence[str], place: Place
) -> Iterator[tuple[int, dict[str, str]]]:
    for cells in reader:
        line = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise InputError(
                "wrong number of cells", file=place, line=line, found=len(cells),
                expected=len(header),
            )  # fmt: skip
        yield line, {key: cell.strip() for key, cell in zip(header, cells, strict=True)}


def _listed_classes(files: RawFiles, index: str) -> tuple[str, ...]:
    """The classes that are listed in a file beside the table; empty if there is none."""
    name = str(PurePosixPath(index).parent / CLASSES)
    if name not in files.names:
        return ()
    listed = tuple(line.strip() for line in _text(files, name, files.place(name)).splitlines())
    for number, each in enumerate(listed):
        if not each or each in listed[:number]:
            problem = "is there twice" if each else "is empty"
            raise InputError(
                f"the name of a class {problem}",
                file=files.place(name),
                line=number + 1,
                found=each or None,
                hint="Every line is the name of one class",
            )
    return listed


def _classes(rows: Rows, by_name: bool, listed: tuple[str, ...], place: Place) -> tuple[str, ...]:
    if listed:
        return listed
    if by_name:
        return tuple(sorted({row["action"] for _, row in rows}))
    count = 1 + max(_number(row, "label", place, line) for line, row in rows)
    return tuple(f"class {label}" for label in range(count))


def _name(row: Mapping[str, str], known: Mapping[str, int], place: Place, line: int) -> str:
    name = row["name"]
    if not name or not name.isprintable():
        raise InputError(
            "is no name of a recording",
            file=place,
            line=line,
            field="name",
            found=repr(name),
            expected="a text in one line",
        )
    if name in known:
        problem = f"is there twice, first in line {known[name]}"
        raise InputError(problem, file=place, line=line, field="name", found=name)
    return name


def _label(
    row: Mapping[str, str], by_name: bool, classes: tuple[str, ...], place: Place, line: int
) -> int:
    if by_name and row["action"] and row["action"] in classes:
        return classes.index(row["action"])
    label = -1 if by_name else _number(row, "label", place, line)
    if not 0 <= label < len(classes):
        raise InputError(
            "is none of the classes",
            file=place,
            line=line,
            field="action" if by_name else "label",
            found=repr(row["action"]) if by_name else label,
            expected=f"one of {', '.join(classes[:10])}" if by_name else f"0 to {len(classes) - 1}",
        )
    return label


def _number(row: Mapping[str, str], key: str, place: Place, line: int) -> int:
    """A whole number; 0 where it is not known."""
    text = row.get(key, "")
    if text.isascii() and text.isdecimal():
        return int(text)
    if text or key == "label":
        raise InputError(
            "is not a whole number from 0",
            file=place,
            line=line,
            field=key,
            found=repr(text),
        )
    return 0
