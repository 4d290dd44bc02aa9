"""Raw data files from directories or straight from zip archives, which are never unpacked.

An archive need not be on this machine: whoever can read ranges of it hands in how it is opened.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from isal import isal_zlib

from frhead_core.errors import InputError
from frhead_core.files import has_scheme
from frhead_core.progress import SILENT, Reporter, reporting

_LOCAL_HEADER = 30  # bytes, followed by a name and an extra field
_ENCRYPTED = 0x1

Suffix = str | tuple[str, ...]
"""How the names of data files end, in one way or another."""


Place = Path | str
"""A path of this machine, or a URI as text."""


class DamagedFileError(Exception):
    """One file cannot be read, though the others can."""


# All that the zipfile module raises for spoilt bytes: each place in an archive has its own way.
_DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    cast(type[Exception], isal_zlib.error),
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_UNREADABLE: tuple[type[Exception], ...] = (OSError, *_DAMAGE)


class RawFiles(Protocol):
    """Named files that can be read one at a time, by several threads at once."""

    names: tuple[str, ...]
    """Paths inside the directory or archive with forward slashes, sorted."""

    def read(self, name: str) -> bytes:
        """The content of one file; DamagedFileError if it cannot be had."""
        ...

    def digest(self, name: str) -> str:
        """What changes when the content of the file changes."""
        ...

    def place(self, name: str) -> Place:
        """Where the file is, for messages."""
        ...


class ArchiveBytes(Protocol):
    """The bytes of an archive, wherever it is.

    Attributes:
        size: How many there are.
    """

    size: int

    def read_at(self, begin: int, size: int) -> bytes:
        """Some of them, also for several threads at once; fewer than ``size`` at the end."""
        ...

    def file(self) -> BinaryIO:
        """All of them as a seekable file, for one thread."""
        ...


OpenArchive = Callable[[str], AbstractContextManager[ArchiveBytes]]
"""Opens the archive that a URI names."""


def raw_data(text: str) -> Place:
    """The raw data that a text names: one or several places, separated by commas."""
    return text if has_scheme(text) else Path(text)


def raw_places(raw: Place) -> tuple[Place, ...]:
    """The directories and archives that ``raw`` names, separated by commas if it is several."""
    if isinstance(raw, Path) and raw.exists():
        return (raw,)
    places = [place.strip() for place in str(raw).split(",")]
    return tuple(place if has_scheme(place) else Path(place) for place in places if place)


@contextmanager
def open_raw_files(
    raw: Place, suffix: Suffix, open_remote: OpenArchive | None = None
) -> Iterator[RawFiles]:
    """The files of one or several directories or zip archives whose names end in ``suffix``.

    Hidden files and the resource forks that some systems add to archives are passed over.

    Args:
        raw: Where they are.
        suffix: How their names end.
        open_remote: Opens archives that are named by a URI.

    Raises:
        InputError: If a place does not exist, is neither directory nor whole zip archive, or
            has no such file, or if two places have files of the same name.
    """
    with ExitStack() as stack:
        places = raw_places(raw)
        opened = [stack.enter_context(_open_place(place, suffix, open_remote)) for place in places]
        yield opened[0] if len(opened) == 1 else _Several(places, opened)


def fingerprint_files(files: RawFiles, reporter: Reporter = SILENT) -> str:
    """SHA-256 over the files' names, sizes and contents (in a zip: the stored CRC-32), as hex."""
    digest = hashlib.sha256()
    with reporting(reporter, "fingerprinting", len(files.names), "files"):
        for name in files.names:
            digest.update(f"{name}\0{files.digest(name)}\n".encode())
            reporter.advance()
    return digest.hexdigest()


@contextmanager
def _open_place(
    place: Place, suffix: Suffix, open_remote: OpenArchive | None
) -> Iterator[RawFiles]:
    if isinstance(place, Path) and place.is_dir():
        yield _checked(_Directory(place, suffix), place, suffix)
        return
    opening = _open_local(place) if isinstance(place, Path) else _remote(place, open_remote)
    with opening as source, _opened_archive(place, source) as archive:
        yield _checked(_Archive(place, source, archive, suffix), place, suffix)


def _remote(uri: str, open_remote: OpenArchive | None) -> AbstractContextManager[ArchiveBytes]:
    if open_remote is None:
        raise InputError("is not on this machine", file=uri, expected="a directory or zip archive")
    return open_remote(uri)


@contextmanager
def _open_local(path: Path) -> Iterator[ArchiveBytes]:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError as error:
            raise InputError(
                "does not exist", file=path, expected="a directory or a zip archive"
            ) from error
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=path) from error
        yield _LocalBytes(file)


@contextmanager
def _opened_archive(place: Place, source: ArchiveBytes) -> Iterator[zipfile.ZipFile]:
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(source.file()))
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=place) from error
        except _DAMAGE as error:
            raise InputError(
                f"is truncated or not a zip archive ({error})",
                file=place,
                hint="Download it again and compare its size with the source",
            ) from error
        yield archive


class _LocalBytes:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._descriptor = file.fileno()
        self.size = os.fstat(self._descriptor).st_size

    def read_at(self, begin: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, begin)

    def file(self) -> BinaryIO:
        return self._file


class _Directory:
    def __init__(self, root: Path, suffix: Suffix) -> None:
        self._root = root
        paths = (path.relative_to(root).as_posix() for path in root.rglob("*"))
        self.names = tuple(sorted(name for name in paths if _is_data(name, suffix)))

    def read(self, name: str) -> bytes:
        try:
            with FileIO(f"{self._root}/{name}") as file:  # a Path would take as long as reading
                return file.readall()
        except OSError as error:
            raise DamagedFileError(f"cannot be read ({error.strerror})") from error

    def digest(self, name: str) -> str:
        path = self._root / name
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            return f"{path.stat().st_size}\0{content}"
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", file=path) from error

    def place(self, name: str) -> Path:
        return self._root / name


class _Archive:
    def __init__(
        self, place: Place, source: ArchiveBytes, archive: zipfile.ZipFile, suffix: Suffix
    ) -> None:
        self._place = place
        self._archive = archive
        self._source = source
        self._lock = threading.Lock()
        self.names = tuple(sorted(name for name in archive.namelist() if _is_data(name, suffix)))

    def read(self, name: str) -> bytes:
        entry = self._archive.getinfo(name)
        common = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        try:
            if common and not entry.flag_bits & _ENCRYPTED:
                return self._member(entry)
            with self._lock:
                return self._archive.read(name)
        except _UNREADABLE as bad:
            raise DamagedFileError(f"is damaged in the archive ({bad})") from bad

    def digest(self, name: str) -> str:
        entry = self._archive.getinfo(name)
        return f"{entry.file_size}\0{entry.CRC}"

    def place(self, name: str) -> Place:
        return self._place / name if isinstance(self._place, Path) else f"{self._place}/{name}"

    def _member(self, entry: zipfile.ZipInfo) -> bytes:
        """The content of a stored or deflated member.

        The zipfile module makes threads take turns with its one file handle, and copies more.
        """
        header = self._source.read_at(entry.header_offset, _LOCAL_HEADER)
        if header[:4] != b"PK\3\4" or len(header) < _LOCAL_HEADER:
            raise zipfile.BadZipFile("no member begins where it should")
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        begin = entry.header_offset + _LOCAL_HEADER + lengths
        # A spoilt directory may claim any size; the file's own bounds what is asked for.
        content = self._source.read_at(begin, min(entry.compress_size, self._source.size))
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            inflating = isal_zlib.decompressobj(-zlib.MAX_WBITS)
            content = inflating.decompress(content, entry.file_size + 1)
        if len(content) != entry.file_size:
            raise zipfile.BadZipFile(f"{len(content)} bytes instead of {entry.file_size}")
        if isal_zlib.crc32(content) != entry.CRC:
            raise zipfile.BadZipFile("Bad CRC-32")
        return content


class _Several:
    def __init__(self, places: Sequence[Place], opened: Sequence[RawFiles]) -> None:
        place_of: dict[str, Place] = {}
        self._files: dict[str, RawFiles] = {}
        for place, files in zip(places, opened, strict=True):
            stems = {PurePosixPath(name).stem: name for name in files.names}
            for stem in stems.keys() & place_of.keys():
                _refuse_twice(stem, place_of[stem], place)
            place_of |= dict.fromkeys(stems, place)
            self._files |= dict.fromkeys(files.names, files)
        self.names = tuple(sorted(self._files))

    def read(self, name: str) -> bytes:
        return self._files[name].read(name)

    def digest(self, name: str) -> str:
        return self._files[name].digest(name)

    def place(self, name: str) -> Place:
        return self._files[name].place(name)


def _is_data(name: str, suffix: Suffix) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return name.endswith(suffix) and not hidden


def _checked(files: RawFiles, place: Place, suffix: Suffix) -> RawFiles:
    if not files.names:
        names = suffix if isinstance(suffix, str) else " or ".join(suffix)
        raise InputError(f"has no {names} file", file=place)
    return files


def _refuse_twice(name: str, one: Place, other: Place) -> None:
    raise InputError(
        "is in two places",
        field=name,
        found=f"{one} and {other}",
        expected="every recording once",
        hint="Leave one of them out",
    )
