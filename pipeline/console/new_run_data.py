"""Raw data that the console keeps for runs: what was uploaded, and synthetic recordings.

::

    <console's folder>/
      uploads/<random>/<name>.zip
      synthetic/<layout>.zip
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from frhead_core.errors import InputError
from pipeline.commands import synthetic
from pipeline.console.new_run_checks import Layout, synthetic_archive

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 100
_PARTIAL = ".partial-"
_SECONDS_OF_A_DAY = 24 * 60 * 60
_MOST_FIELDS = 1000
_LONGEST_FIELD = 64 * 1024


@dataclass
class Submitted:
    """A form as it came.

    Attributes:
        fields: Texts by name; of several of one name, the texts with commas between them.
        places: Where the uploaded archives lie.
        mistake: Why they were not kept; empty if they were.
    """

    fields: dict[str, str] = field(default_factory=dict)
    places: list[Path] = field(default_factory=list)
    mistake: str = ""


class Uploads:
    """The folder of uploaded archives.

    Args:
        folder: The console's own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "uploads"

    async def form(
        self,
        content_type: str,
        body: AsyncIterator[bytes],
        check: Callable[[Mapping[str, str]], None],
    ) -> Submitted:
        """Read a form, whose files go to this folder piece by piece, and nowhere else.

        Args:
            content_type: Of the form.
            body: The form.
            check: Told the fields before any file is kept; raises if none may be.

        Raises:
            InputError: If it is no form, or the files cannot be written.
        """
        kind, parameters = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in parameters:
            raise InputError("is no form with files", field="Content-Type", found=content_type)
        with self._partial() as partial:
            submitted = Submitted()
            files: list[File] = []
            parser = FormParser(
                "multipart/form-data",
                lambda each: _take(submitted, each),
                files.append,
                boundary=parameters[b"boundary"],
                config={
                    "UPLOAD_DIR": str(partial),
                    "UPLOAD_DELETE_TMP": False,
                    "MAX_MEMORY_FILE_SIZE": 0,
                    "MAX_FIELDS": _MOST_FIELDS,
                    "MAX_FIELD_SIZE": _LONGEST_FIELD,
                },
            )
            try:
                async for piece in body:
                    await run_in_threadpool(parser.write, piece)
                parser.finalize()
            except FormParserError as error:
                raise InputError(f"is no form that can be read ({error})") from error
            finally:
                parser.close()
            check(submitted.fields)
            try:
                await run_in_threadpool(self._keep_all, submitted, files)
            except InputError as error:
                submitted.mistake = str(error)
        return submitted

    async def file(self, name: str, body: AsyncIterator[bytes]) -> Path:
        """Keep one archive.

        Args:
            name: What its name is made from.
            body: Its content.

        Raises:
            InputError: If it is no zip archive; then it is not kept.
        """
        with self._partial() as partial:
            path = partial / "content"
            with path.open("wb") as file:
                async for piece in body:
                    await run_in_threadpool(file.write, piece)
            await run_in_threadpool(_check_archive, path, name)
            return self._keep(path, name)

    def remove_leftovers(self) -> None:
        """Remove what uploads have left that broke off with the console, a day ago or longer."""
        for partial in self._folder.glob(f"{_PARTIAL}*"):
            with contextlib.suppress(FileNotFoundError):  # another console does the same
                if time.time() - partial.stat().st_mtime > _SECONDS_OF_A_DAY:
                    shutil.rmtree(partial, ignore_errors=True)

    def _keep_all(self, submitted: Submitted, files: list[File]) -> None:
        """Keep all files, or none; a field where no file was chosen comes as one without a name."""
        named = [(each, _text_of(each.file_name)) for each in files if each.file_name]
        for each, name in named:
            _check_archive(_place_of(each), name)
        submitted.places += [self._keep(_place_of(each), name) for each, name in named]

    def _keep(self, path: Path, name: str) -> Path:
        place = self._folder / secrets.token_hex(8) / archive_name(name)
        place.parent.mkdir()
        return path.replace(place)

    @contextlib.contextmanager
    def _partial(self) -> Iterator[Path]:
        """A folder for what has not come completely; what is left there goes away."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._folder))
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror})", file=self._folder) from error
        try:
            yield partial
        except OSError as error:
            raise InputError(
                f"the upload cannot be kept ({error.strerror})", field="upload"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def archive_name(name: str) -> str:
    """A name for a file, made from what a browser or program says, which may be anything."""
    last = name.replace("\\", "/").rpartition("/")[2]
    stem = _NOT_IN_NAMES.sub("_", last.removesuffix(".zip"))[:_LONGEST_NAME].strip("._-")
    return f"{stem or 'recordings'}.zip"


def made_synthetic(folder: Path, layout: Layout) -> Path:
    """The synthetic recordings in a layout, made when there are none.

    Args:
        folder: The console's own.
        layout: As of the command ``frhead synthetic``.

    Raises:
        InputError: If they cannot be written.
    """
    archive = synthetic_archive(folder, layout)
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{archive}.lock"):
            if not archive.exists():
                partial = archive.with_name(f"partial-{archive.name}")
                arguments = ["--layout", layout, "--output", str(partial)]
                context = synthetic.command.make_context("synthetic", arguments)
                synthetic.write_recordings(**context.params)
                partial.replace(archive)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=archive) from error
    return archive


def _place_of(file: File) -> Path:
    """Where the content of a file came to lie; an empty one lies nowhere."""
    return Path(os.fsdecode(file.actual_file_name or os.devnull))


def _take(submitted: Submitted, each: Field) -> None:
    name, text = _text_of(each.field_name), _text_of(each.value)
    before = submitted.fields.get(name)
    submitted.fields[name] = text if before is None else f"{before},{text}"


def _text_of(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


def _check_archive(path: Path, name: str) -> None:
    if not zipfile.is_zipfile(path):
        raise InputError(
            "is no zip archive",
            field="upload",
            found=name,
            hint="Zip the recordings, or give a place on the server",
        )
