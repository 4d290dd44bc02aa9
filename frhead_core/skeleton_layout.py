"""Joint layouts of the user's own, as a YAML file or as a section of a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from frhead_core.settings_files import MisplacedError, Place, first_problem, read_settings

BUILT_IN = ("ntu", "nw-ucla")
"""Names of the layouts that need no file."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SkeletonLayout:
    """A joint layout by the names of its joints, checked to be a tree.

    ``joints``: in the order in which the arrays have them. ``bones``: pairs of joints, (child,
    parent), which lead to ``root``. ``center``: the joint that preparation moves to the origin.
    ``mirrored``: pairs of joints, left and right, whose bones are scaled alike.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    root: str
    center: str
    mirrored: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.name in BUILT_IN or not self.name.strip():
            raise MisplacedError(f"{self.name!r} cannot be the name of an own layout", "name")
        self._check_joints()
        self._check_bones()
        self._check_tree()
        self._check_mirrored()

    def _check_joints(self) -> None:
        if len(self.joints) < 2:
            raise MisplacedError("a layout has at least two joints", "joints")
        for number, joint in enumerate(self.joints):
            if not joint.strip():
                raise MisplacedError("a joint has no name", "joints", number)
            if joint in self.joints[:number]:
                raise MisplacedError(f"{joint!r} is there twice", "joints", number)
        for key in ("root", "center"):
            self._check_known(getattr(self, key), key)

    def _check_known(self, joint: str, *place: str | int) -> None:
        if joint not in self.joints:
            raise MisplacedError(f"{joint!r} is none of the joints", *place)

    def _check_bones(self) -> None:
        places: dict[str, int] = {}
        for number, (child, parent) in enumerate(self.bones):
            for joint in (child, parent):
                self._check_known(joint, "bones", number)
            if child == self.root:
                raise MisplacedError(f"{child!r} is the root and has no parent", "bones", number)
            if child in places:
                problem = f"{child!r} has a parent already, by bones.{places[child]}"
                raise MisplacedError(problem, "bones", number)
            places[child] = number
        for number, joint in enumerate(self.joints):
            if joint not in places and joint != self.root:
                problem = f"no bone connects {joint!r} with its parent"
                raise MisplacedError(problem, "joints", number)

    def _check_tree(self) -> None:
        """Every joint has one parent, but the root; what does not lead there is a ring."""
        parent = dict(self.bones)
        for number, (child, _) in enumerate(self.bones):
            way = [child]
            while way[-1] != self.root:
                way.append(parent[way[-1]])
                if way[-1] in way[:-1]:
                    problem = f"leads in a ring and not to the root: {' - '.join(way)}"
                    raise MisplacedError(problem, "bones", number)

    def _check_mirrored(self) -> None:
        seen: set[str] = set()
        for number, pair in enumerate(self.mirrored):
            for joint in pair:
                self._check_known(joint, "mirrored", number)
                if joint in seen or joint == self.root:
                    why = "is the root" if joint == self.root else "is there twice"
                    raise MisplacedError(f"{joint!r} {why}", "mirrored", number)
                seen.add(joint)


_LAYOUT = TypeAdapter(SkeletonLayout)
_KEYS = tuple(field.name for field in dataclasses.fields(SkeletonLayout))


def load_layout(path: Path) -> SkeletonLayout:
    """The layout in a YAML file.

    Raises:
        RecipeError: If it cannot be read or is no layout; file, line and key are named.
    """
    data, lines = read_settings(path, "a joint layout")
    return layout_from_mapping(data, path, lines)


def layout_from_mapping(
    data: Mapping[str, Any],
    file: Path | None = None,
    lines: Mapping[Place, int] | None = None,
    below: Place = (),
) -> SkeletonLayout:
    """The layout that a mapping describes.

    Args:
        data: The mapping.
        file: Where it comes from, for messages.
        lines: Line of each key in the file.
        below: Where in the file the mapping is.

    Raises:
        RecipeError: If it is no layout.
    """
    try:
        return _LAYOUT.validate_python(data)
    except ValidationError as error:
        raise first_problem(error, file, lines or {}, lambda _: _KEYS, below=below) from error
