"""Where a model that is given instead of trained lies: a directory, or in object storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.object_storage.client import ObjectStore
from components.object_storage.directories import pull
from components.object_storage.location import Location, is_uri
from frhead_core.errors import InputError
from frhead_core.files import has_scheme
from frhead_core.progress import SILENT, Reporter


@contextmanager
def model_directory(place: str, reporter: Reporter = SILENT) -> Iterator[Path]:
    """The directory of a model; a copy, for as long as the body runs, if it is an ``s3://`` URI.

    Args:
        place: A directory, or ``s3://bucket/prefix``.
        reporter: Told how far the copying is.

    Raises:
        InputError: If it is a URI of another kind, or cannot be fetched. Where the body's own
            errors name the copy, the URI takes its place.
    """
    if not is_uri(place):
        if has_scheme(place):
            raise InputError(
                "models cannot be read from there", found=place, expected="a directory, or s3://..."
            )
        yield Path(place)
        return
    with tempfile.TemporaryDirectory(prefix="frhead-model-") as folder:
        copy = Path(folder) / "model"
        pull(Location.parse(place), copy, ObjectStore(), reporter)
        try:
            yield copy
        except InputError as error:
            raise InputError(
                error.problem,
                file=None if error.file is None else error.file.replace(str(copy), place),
                line=error.line,
                field=error.field,
                found=error.found,
                expected=error.expected,
                hint=error.hint,
            ) from error
