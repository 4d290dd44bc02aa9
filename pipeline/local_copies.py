"""What lies in object storage as copies on this machine, fetched again when they differ."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from filelock import FileLock

from frhead_core.files import has_scheme
from frhead_core.progress import Reporter, terminal_reporter


def local_copy(place: Path | str, reporter: Reporter | None = None) -> Path:
    """A path itself, or of what an ``s3://`` URI names a copy whose checksums were compared.

    Copies lie in the user's cache folder, a place for each URI. What is there already is not
    fetched again, and what is no longer there in object storage is removed.

    Args:
        place: A path or URI.
        reporter: Told of the progress; without one the terminal.

    Raises:
        InputError: If it is a URI of another kind, or the copy cannot be written.
        ObjectStorageError: If nothing is there, or the server refuses or cannot be reached.
    """
    if not has_scheme(place):
        return Path(place)
    # Who has all on this machine does not wait for the client.
    from components.object_storage import directories  # noqa: PLC0415
    from components.object_storage.client import ObjectStore  # noqa: PLC0415
    from components.object_storage.location import Location  # noqa: PLC0415

    location = Location.parse(str(place))
    folder = _cache() / hashlib.sha256(str(location).encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / (location.name or location.bucket)
    with FileLock(folder / "lock"):
        fetched = directories.pull(location, copy, ObjectStore(), reporter or terminal_reporter())
        names = {facts.location.key.removeprefix(location.prefix) for facts in fetched}
        for name, path in directories.files_of(copy).items():
            if name and name not in names:
                path.unlink()
    return copy


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "frhead" / "copies"
