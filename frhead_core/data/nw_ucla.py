"""Northwestern-UCLA: its names and classes, and the reader of its JSON files.

One file holds one sequence: ``{"file_name": ..., "skeletons": (T, 20, 3), "label": 1 to 10}``.
Wang, Nie, Xia, Wu and Zhu, "Cross-view Action Modeling, Learning and Recognition", CVPR 2014.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from frhead_core.data.raw_files import DamagedFileError, Place, RawFiles
from frhead_core.data.recordings import Quarantined, RecordedBodies, Recording
from frhead_core.errors import InputError

ACTIONS = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
"""Name of each action number; a class index is the place in this order. 7 and 10 do not exist."""

CLASSES = tuple(ACTIONS.values())
JOINTS = 20
SUFFIX = ".json"

_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")


@cache
def train_names() -> tuple[str, ...]:
    """The 1,020 training recordings of the benchmark (views 1 and 2), sorted."""
    return _listed("nw_ucla_train_names.txt")


@cache
def test_names() -> tuple[str, ...]:
    """The 464 test recordings (view 3), in the order of the published score files."""
    return _listed("nw_ucla_test_names.txt")


def recording(name: str) -> Recording:
    """The recording that a name like ``a01_s01_e00_v01`` describes.

    Raises:
        ValueError: If it is no such name, or its action number does not exist.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError("strange name, expected one like a01_s01_e00_v01")
    action, performer, replication, view = (int(number) for number in match.groups())
    if action not in ACTIONS:
        known = ", ".join(str(number) for number in ACTIONS)
        raise ValueError(f"unknown action number {action}, expected one of {known}")
    return Recording(
        name=name,
        setup=0,
        camera=view,
        performer=performer,
        replication=replication,
        action=action,
        label=list(ACTIONS).index(action),
    )


def parse_bodies(content: bytes) -> np.ndarray:
    """The body in the text of a JSON file, whoever it is: (1, T, V, C) float64.

    Raises:
        ValueError: If it is no such text, or a coordinate is missing or not finite.
    """
    return _coordinates(_parse(content, ("skeletons",))["skeletons"])[np.newaxis]


class NWUCLASource:
    """The recordings of NW-UCLA, one at a time in the order of their names.

    Args:
        files: Its JSON files.
        raw: Where they are, for messages.
        official_list: Every recording of the benchmark must be there, and no other is taken.

    Raises:
        InputError: If files of the benchmark are missing.
    """

    def __init__(self, files: RawFiles, raw: Place, *, official_list: bool) -> None:
        self.left_out: dict[str, int] = {}
        self.classes = CLASSES
        self.columns: dict[str, dict[str, str]] = {}
        self._files = files
        self._names = sorted(files.names, key=lambda name: (PurePosixPath(name).stem, name))
        self._official = frozenset(train_names() + test_names()) if official_list else None
        if self._official is not None:
            _refuse_missing(self._official, self._names, raw)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[RecordedBodies | Quarantined]:
        return self.starting_at(0)

    def starting_at(self, first: int) -> Iterator[RecordedBodies | Quarantined]:
        """The recordings from a place on, without reading those before it."""
        previous = PurePosixPath(self._names[first - 1]).stem if first else None
        for file in self._names[first:]:
            name = PurePosixPath(file).stem
            try:
                if name == previous:
                    raise ValueError("the name occurs more than once")
                yield self._read(name, file)
            except (ValueError, DamagedFileError) as error:
                yield Quarantined(name, file, str(error))
            previous = name

    def _read(self, name: str, file: str) -> RecordedBodies:
        who = recording(name)
        if self._official is not None and name not in self._official:
            raise ValueError("not on the benchmark's list")
        content = _parse(self._files.read(file), ("skeletons", "label"))
        _check_identity(content, who)
        return RecordedBodies(who, _coordinates(content["skeletons"])[np.newaxis])


def _listed(file: str) -> tuple[str, ...]:
    return tuple((Path(__file__).parent / file).read_text(encoding="ascii").split())


def _refuse_missing(official: frozenset[str], files: Sequence[str], raw: Place) -> None:
    missing = sorted(official - {PurePosixPath(name).stem for name in files})
    if missing:
        first = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InputError(
            f"{len(missing)} of the {len(official)} recordings of the benchmark are missing",
            file=raw,
            found=f"no {first}",
            expected="all of them",
            hint="Download it again, or set preparation.official_list to false",
        )


def _parse(content: bytes, fields: Sequence[str]) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not whole JSON: {error.msg} at character {error.pos} of {len(content)}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(data, dict):
        raise ValueError(f"a JSON {type(data).__name__}, expected an object")
    for field in fields:
        if field not in data:
            raise ValueError(f'no field "{field}"')
    return data


def _check_identity(content: dict[str, Any], who: Recording) -> None:
    if content.get("file_name", who.name) != who.name:
        raise ValueError(
            f"file_name {reprlib.repr(content['file_name'])} contradicts the name of the file"
        )
    if content["label"] != who.label + 1:
        raise ValueError(
            f"label {reprlib.repr(content['label'])} contradicts the name, "
            f"whose action {who.action} has label {who.label + 1}"
        )


def _coordinates(skeletons: Any) -> np.ndarray:
    """Checked coordinates, (T, V, C) float64."""
    try:
        coordinates = np.array(skeletons, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(_what_is_wrong(skeletons)) from error
    if coordinates.shape[:1] == (0,):
        raise ValueError("empty sequence: no frames")
    if coordinates.shape[1:] != (JOINTS, 3) or not np.isfinite(coordinates).all():
        raise ValueError(_what_is_wrong(skeletons))
    return coordinates


def _what_is_wrong(skeletons: Any) -> str:
    """The first place where the coordinates are not what they should be."""
    if not isinstance(skeletons, list):
        return f"skeletons is a {type(skeletons).__name__}, expected a list of frames"
    for frame, joints in enumerate(skeletons):
        if not isinstance(joints, list) or len(joints) != JOINTS:
            count = len(joints) if isinstance(joints, list) else "no"
            return f"frame {frame} has {count} joints, expected {JOINTS}"
        for joint, position in enumerate(joints):
            if not isinstance(position, list) or len(position) != 3:
                return f"frame {frame}, joint {joint}: {reprlib.repr(position)} is not x, y, z"
            for axis, value in zip("xyz", position, strict=True):
                if not _is_finite_number(value):
                    found = reprlib.repr(value)
                    return f"frame {frame}, joint {joint}, {axis}: {found} is not a finite number"
    return "coordinates cannot be read"


def _is_finite_number(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:
        return False
