"""Files of the artifacts of a run: which there are, and that nothing else can be reached.

Places come from the run's files and paths from the address, so neither is believed: what is read
lies in the run's folder or among the artifacts of its work directory, wherever links lead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frhead_core.files import has_scheme
from pipeline.console.failures import NoSuchThingError
from pipeline.run_folder import RunFolder, maker_file

MOST_FILES = 200
_MOST_SHOWN = 2**20
_LOOKED_AT = 4096


class NotAnArtifactError(NoSuchThingError):
    """There is no such file of this run."""


@dataclass(frozen=True)
class ArtifactFile:
    """A file of an artifact.

    Attributes:
        path: Within the artifact, with slashes; empty if it is the artifact itself.
        size: In bytes.
        readable: Whether it is a text of a size to look at.
    """

    path: str
    size: int
    readable: bool


@dataclass(frozen=True)
class Artifact:
    """Something that a step read or made.

    Attributes:
        name: Of the output or input.
        place: Where it lies, a path or URI; or the result itself, where that is no file.
        files: Those that can be looked at here.
        more: How many more there are.
        size: Of all its files, in bytes.
        maker: The run that made it, where that is known.
    """

    name: str
    place: str
    files: tuple[ArtifactFile, ...] = ()
    more: int = 0
    size: int = 0
    maker: str = ""


def artifact_place(folder: RunFolder, place: object, path: str = "") -> Path:
    """Where a file of an artifact really is.

    Args:
        folder: The run.
        place: Of the artifact, as the run says.
        path: Within it; empty for the artifact itself.

    Raises:
        NotAnArtifactError: If there is nothing, or it is none of this run's.
    """
    if not isinstance(place, str) or not place or has_scheme(place) or "\0" in place + path:
        raise NotAnArtifactError("There is no such file.")
    try:
        root = Path(place).resolve(strict=True)
        found = (root / path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NotAnArtifactError("There is no such file, or not any more.") from error
    allowed = (folder.path.resolve(), folder.artifacts.resolve())
    if not found.is_relative_to(root) or not any(map(root.is_relative_to, allowed)):
        raise NotAnArtifactError("There is no such file.")
    return found


def artifact(folder: RunFolder, name: str, place: object) -> Artifact:
    """What can be said of an artifact."""
    text = ", ".join(map(str, place)) if isinstance(place, list) else str(place)
    try:
        root = artifact_place(folder, place)
        known = [(path, path.stat().st_size) for path in _files(root)]
        files = tuple(
            ArtifactFile(
                "" if path == root else path.relative_to(root).as_posix(), size, is_text(path)
            )
            for path, size in known[:MOST_FILES]
        )
    except (NotAnArtifactError, OSError):  # also while it is being removed
        return Artifact(name, text)
    more, size = len(known) - len(files), sum(each for _, each in known)
    return Artifact(name, text, files, more, size, _maker(folder, root))


def is_text(path: Path) -> bool:
    """Whether a file is a text, and of a size to look at in a browser."""
    with path.open("rb") as file:
        beginning = file.read(_LOOKED_AT)
        size = os.fstat(file.fileno()).st_size
    if size > _MOST_SHOWN or b"\0" in beginning:
        return False
    try:
        beginning.decode("utf-8")
    except UnicodeDecodeError as error:  # a character may end behind what was looked at
        return size > _LOOKED_AT and error.start > _LOOKED_AT - 4
    return True


def _files(root: Path) -> Iterator[Path]:
    """The files of an artifact, by name; links are none."""
    if root.is_file():
        yield root
    for folder, folders, names in os.walk(root):
        folders.sort()
        paths = (Path(folder, name) for name in sorted(names))
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def _maker(folder: RunFolder, root: Path) -> str:
    path = maker_file(folder.artifacts.resolve(), root)
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
