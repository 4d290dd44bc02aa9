"""A pipeline root in object storage: what steps have made, for every machine that needs the same.

::

    s3://bucket/prefix/
      README.txt            what this is; written by every run, to see that it may write
      files/<sha256>        a file of an artifact, named by what it holds
      steps/<key>.json      what one step made: parameters, and artifacts as lists of such files

The list of a step is written when all of its files are there, so that what was sent in part is
never taken for whole. A file is only sent once, whichever steps made it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from components.object_storage.client import ObjectStore
from components.object_storage.directories import digest_of, files_of, in_turn
from components.object_storage.errors import (
    ChangedObjectError,
    DamagedObjectError,
    MissingBucketError,
    MissingObjectError,
    ObjectStorageError,
)
from components.object_storage.location import Location
from components.object_storage.transfer import download_file, upload_file
from frhead_core.errors import FRHeadError, InputError
from frhead_core.progress import SILENT, Reporter

_FORMAT_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_README = b"Results of steps of the FR-Head pipeline, for `frhead run --pipeline-root`.\n"


class UnusableResultError(ObjectStorageError):
    """What a step once made is damaged there, or not all of it is there."""


@dataclass(frozen=True)
class StoredFile:
    """One file of an artifact.

    Attributes:
        name: Below the artifact's place, with slashes; empty if the artifact is this file.
        size: Bytes.
        sha256: Of its content, as hex.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class StoredArtifact:
    """One artifact.

    Attributes:
        type: kfp's name of its type, as in ``system.Model``.
        name: kfp's name of the artifact.
        metadata: Of the artifact.
        files: In the order of their names; none for an empty folder.
    """

    type: str
    name: str
    metadata: Mapping[str, Any]
    files: tuple[StoredFile, ...]

    @property
    def digest(self) -> str:
        """Names the content: SHA-256 over names and contents of the files, as hex."""
        files = [(file.name, file.sha256) for file in self.files]
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()


@dataclass(frozen=True)
class StoredStep:
    """What one step made.

    Attributes:
        parameters: By name of the output.
        artifacts: By name of the output.
    """

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, StoredArtifact]

    @property
    def digest(self) -> str:
        """Names all of it: SHA-256 as hex."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def to_json(self) -> bytes:
        """Equal steps give equal bytes."""
        values = {"format_version": _FORMAT_VERSION, **asdict(self)}
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> StoredStep:
        """Read back, trusting nothing.

        Raises:
            ValueError: If it is anything else, or a file would lie outside of its artifact.
        """
        try:
            values = json.loads(content)
            if values["format_version"] != _FORMAT_VERSION:
                raise ValueError("another version of the format")
            artifacts = {name: _artifact(each) for name, each in values["artifacts"].items()}
            parameters = dict(values["parameters"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if not all(len(PurePosixPath(name).parts) == 1 and _is_below(name) for name in artifacts):
            raise ValueError("a name that is no name of an output")
        return cls(parameters, artifacts)


def _artifact(values: Mapping[str, Any]) -> StoredArtifact:
    files = tuple(StoredFile(**each) for each in values["files"])
    for file in files:
        if not (file.name == "" and len(files) == 1) and not _is_below(file.name):
            raise ValueError("a file outside of its artifact")
        if type(file.size) is not int or not _SHA256.fullmatch(file.sha256):
            raise ValueError("a file without size or checksum")
    return StoredArtifact(str(values["type"]), str(values["name"]), dict(values["metadata"]), files)


def _is_below(name: str) -> bool:
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def stored_files(path: Path) -> tuple[StoredFile, ...]:
    """The files of an artifact, which are read for their checksums.

    Raises:
        InputError: If there is nothing, or it cannot be read.
    """
    return tuple(
        StoredFile(name, file.stat().st_size, digest_of(file))
        for name, file in files_of(path).items()
    )


class PipelineRoot:
    """A prefix in object storage.

    Args:
        location: The prefix.
        store: The server; without one that of the environment.
    """

    def __init__(self, location: Location, store: ObjectStore | None = None) -> None:
        self._location = location
        self._store = store or ObjectStore()
        self._damaged: set[str] = set()

    def __str__(self) -> str:
        return str(self._location)

    def check(self) -> None:
        """See that it can be written to.

        Raises:
            ObjectStorageError: If there is no such bucket, it refuses, or cannot be reached.
            InputError: If there are no credentials.
        """
        self._store.put(self._location / "README.txt", _README)

    def holds(self, key: str) -> bool:
        """Whether everything that a step made is there.

        Raises:
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        return self._store.find(self._step(key)) is not None

    def find(self, key: str) -> StoredStep | None:
        """What a step made; None if it is not known here.

        Raises:
            UnusableResultError: If what is there is damaged.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        facts = self._store.find(self._step(key))
        if facts is None:
            return None
        content = self._store.read(facts.location)
        try:
            if hashlib.sha256(content).hexdigest() != facts.sha256:
                raise ValueError("another checksum")
            return StoredStep.from_json(content)
        except ValueError as error:
            raise UnusableResultError(
                f"is not the list of what a step made ({error})", file=str(facts.location)
            ) from error

    def fetch(self, step: StoredStep, folder: Path, reporter: Reporter = SILENT) -> dict[str, Path]:
        """Fetch what a step made; what is there already is not fetched again.

        Args:
            step: What to fetch.
            folder: Where to: a file or folder in it for each artifact.
            reporter: Told of the progress.

        Returns:
            Places of the artifacts.

        Raises:
            UnusableResultError: If a file is damaged or missing there.
            ObjectStorageError: If the server refuses or cannot be reached.
            InputError: If a file cannot be written.
        """
        places = {output: folder / output for output in step.artifacts}
        files = _files(step, places)

        def fetch(name: str, inner: Reporter) -> None:
            file, path = files[name]
            if not (path.is_file() and path.stat().st_size == file.size) or (
                digest_of(path) != file.sha256
            ):
                self._fetch(file, path, inner)

        try:
            for output, artifact in step.artifacts.items():
                (folder if artifact.files else folder / output).mkdir(parents=True, exist_ok=True)
            with (folder / ".lock").open("w") as lock:  # another run may fetch the same
                fcntl.flock(lock, fcntl.LOCK_EX)
                in_turn(
                    "fetch", {name: file.size for name, (file, _) in files.items()}, fetch, reporter
                )
        except OSError as error:
            raise InputError(f"cannot be written ({error.strerror})", file=folder) from error
        return places

    def send(
        self, key: str, step: StoredStep, places: Mapping[str, Path], reporter: Reporter = SILENT
    ) -> None:
        """Send what a step made; files that are there already are not sent again.

        Args:
            key: Names the step with all its inputs.
            step: What it made.
            places: Where its artifacts lie here.
            reporter: Told of the progress.

        Raises:
            ObjectStorageError: If the server refuses or cannot be reached.
            InputError: If a file cannot be read, or is another one by now.
        """
        files = _files(step, places)

        def send(name: str, inner: Reporter) -> None:
            self._send(*files[name], inner)

        in_turn("store", {name: file.size for name, (file, _) in files.items()}, send, reporter)
        self._store.put(self._step(key), step.to_json(), step.digest)

    def _step(self, key: str) -> Location:
        return self._location / f"steps/{key}.json"

    def _file(self, file: StoredFile) -> Location:
        return self._location / f"files/{file.sha256}"

    def _fetch(self, file: StoredFile, path: Path, reporter: Reporter) -> None:
        location = self._file(file)
        try:
            try:
                download_file(location, path, self._store, reporter, sha256=file.sha256)
            except (DamagedObjectError, ChangedObjectError):  # perhaps only on its way
                download_file(location, path, self._store, reporter, sha256=file.sha256)
        except DamagedObjectError as error:
            self._damaged.add(file.sha256)
            raise UnusableResultError("is damaged", file=str(location)) from error
        except MissingBucketError:
            raise
        except MissingObjectError as error:
            raise UnusableResultError("is missing there", file=str(location)) from error

    def _send(self, file: StoredFile, path: Path, reporter: Reporter) -> None:
        location = self._file(file)
        if file.sha256 in self._damaged:  # its recorded checksum would pass it for whole
            self._store.remove(location)
            self._damaged.discard(file.sha256)
        try:
            sent = upload_file(path, location, self._store, reporter)
        except MissingBucketError:
            raise
        except MissingObjectError:  # another machine sent the same, and finished our upload
            found = self._store.find(location)
            if found is None:
                raise
            sent = found
        if sent.sha256 != file.sha256:
            self._store.remove(location)
            raise InputError("has changed since the step made it", file=path)


def _files(step: StoredStep, places: Mapping[str, Path]) -> dict[str, tuple[StoredFile, Path]]:
    """All files of a step and where they lie, by output and name."""
    return {
        f"{output}/{file.name}": (file, places[output] / file.name if file.name else places[output])
        for output, artifact in step.artifacts.items()
        for file in artifact.files
    }


class NotStoredError(FRHeadError):
    """A run is done, but the pipeline root does not have all that its steps made."""


def usable_root(place: str) -> PipelineRoot | None:
    """The pipeline root at an ``s3://`` address, once it is seen to be usable; None for none.

    Raises:
        InputError: If it cannot be used.
    """
    if not place:
        return None
    root = PipelineRoot(Location.parse(place))
    root.check()
    return root
