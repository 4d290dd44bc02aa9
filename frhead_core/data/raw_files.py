"""Raw data files from a directory or straight from a zip archive, which is never unpacked."""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from frhead_core.errors import InputError


class DamagedFileError(Exception):
    """One file cannot be read, though the others can."""


# All that the zipfile module raises for spoilt bytes: each place in an archive has its own way.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class RawFiles(Protocol):
    """Named files that can be read one at a time."""

    names: tuple[str, ...]
    """Paths inside the directory or archive with forward slashes, sorted."""

    def read(self, name: str) -> bytes:
        """The content of one file; DamagedFileError if it cannot be had."""
        ...

    def digest(self, name: str) -> str:
        """What changes when the content of the file changes."""
        ...


@contextmanager
def open_raw_files(raw: Path, suffix: str) -> Iterator[RawFiles]:
    """The files of a directory, or of a zip archive, whose names end in ``suffix``.

    Hidden files and the resource forks that some systems add to archives are passed over.

    Raises:
        InputError: If ``raw`` does not exist, is neither directory nor whole zip archive, or
            has no such file.
    """
    if raw.is_dir():
        yield _checked(_Directory(raw, suffix), raw, suffix)
        return
    try:
        archive = zipfile.ZipFile(raw)
    except FileNotFoundError as error:
        raise InputError(
            "does not exist", file=raw, expected="a directory or a zip archive"
        ) from error
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=raw) from error
    except _DAMAGE as error:
        raise InputError(
            f"is truncated or not a zip archive ({error})",
            file=raw,
            hint="Download it again and compare its size with the source",
        ) from error
    with archive:
        yield _checked(_Archive(archive, suffix), raw, suffix)


def fingerprint_files(files: RawFiles) -> str:
    """SHA-256 over the files' names, sizes and contents (in a zip: the stored CRC-32), as hex."""
    digest = hashlib.sha256()
    for name in files.names:
        digest.update(f"{name}\0{files.digest(name)}\n".encode())
    return digest.hexdigest()


class _Directory:
    def __init__(self, root: Path, suffix: str) -> None:
        self._root = root
        paths = (path.relative_to(root).as_posix() for path in root.rglob(f"*{suffix}"))
        self.names = tuple(sorted(name for name in paths if _is_data(name, suffix)))

    def read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
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


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, suffix: str) -> None:
        self._archive = archive
        self.names = tuple(sorted(name for name in archive.namelist() if _is_data(name, suffix)))

    def read(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except (OSError, *_DAMAGE) as bad:
            raise DamagedFileError(f"is damaged in the archive ({bad})") from bad

    def digest(self, name: str) -> str:
        entry = self._archive.getinfo(name)
        return f"{entry.file_size}\0{entry.CRC}"


def _is_data(name: str, suffix: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return name.endswith(suffix) and not hidden


def _checked(files: RawFiles, raw: Path, suffix: str) -> RawFiles:
    if not files.names:
        raise InputError(f"has no {suffix} file", file=raw)
    return files
