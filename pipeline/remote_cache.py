"""kfp's local cache, with a pipeline root in object storage behind it.

A step that is not known here is looked up there, and what it made is fetched; what a step makes
here is sent there. The key of the local cache holds where a step's inputs lie on this machine; the
key in the root holds what they contain, so it is the same on every machine, and also for an input
that had to be made again.

When the root fails in the middle of a run, the run goes on without it, and ``error`` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from kfp import dsl
from kfp.dsl.executor import create_artifact_instance
from kfp.local.cache import LocalCache

from frhead_core.errors import InputError
from frhead_core.files import write_atomically
from frhead_core.progress import Reporter
from pipeline.pipeline_root import (
    PipelineRoot,
    StoredArtifact,
    StoredStep,
    UnusableResultError,
    stored_files,
)
from pipeline.run_folder import CONTENT_SUFFIX, FETCHED, RunFolder

Outputs = dict[str, Any]
T = TypeVar("T")


class RemoteCache(LocalCache):  # type: ignore[misc]
    """Finds what a step made, here or in the pipeline root, and keeps it in both.

    Args:
        folder: The run folder.
        root: The pipeline root.
        reporting: Opens what is told of the transfers of the step that this thread executes.

    Attributes:
        error: Why the root is not used any more; None while it is.
    """

    def __init__(
        self,
        folder: RunFolder,
        root: PipelineRoot,
        reporting: Callable[[], AbstractContextManager[Reporter]],
    ) -> None:
        super().__init__(str(folder.cache))
        self._folder = folder
        self._root = root
        self._reporting = reporting
        self._root_keys: dict[str, str] = {}  # by local key
        self._digests: dict[str, str] = {}  # of artifacts, by their places here
        self.error: InputError | None = None

    def compute_key(self, *, arguments: Mapping[str, Any], **task: Any) -> str:
        """The local key; what the step is called in the root is remembered with it."""
        key: str = super().compute_key(arguments=arguments, **task)

        def remember() -> None:
            contents = self._by_content(arguments)
            self._root_keys[key] = LocalCache.compute_key(self, arguments=contents, **task)

        self._unless_failed(remember)
        return key

    def get(self, key: str) -> Outputs | None:
        """What a step made earlier, here or elsewhere; None if that is not known."""
        outputs: Outputs | None = super().get(key)
        if outputs is None:
            return self._unless_failed(lambda: self._fetch(key))
        self._unless_failed(lambda: self._complete(key, outputs))
        return outputs

    def put(self, key: str, outputs: Outputs) -> None:
        """Keep what a step has made."""
        super().put(key, outputs)

        def keep() -> None:
            step = self._described(key, outputs)
            self._note_contents(step, outputs)
            self._send(key, step, outputs)

        self._unless_failed(keep)

    def _unless_failed(self, use: Callable[[], T]) -> T | None:
        """Use the root; once something has gone wrong with it, it is left alone."""
        if self.error is not None:
            return None
        try:
            return use()
        except InputError as error:
            self.error = error
            with self._reporting() as reporter:
                reporter.message(f"going on without {self._root}: {error}")
            return None

    def _fetch(self, key: str) -> Outputs | None:
        with self._reporting() as reporter:
            try:
                step = self._root.find(self._root_keys[key])
                if step is None:
                    return None
                place = self._folder.artifacts / f"{FETCHED}-{step.digest[:32]}" / "step"
                places = self._root.fetch(step, place, reporter)
            except UnusableResultError as error:
                reporter.message(f"{error}; what it belongs to is made anew")
                return None
            reporter.message(f"fetched from {self._root}")
        outputs = dict(step.parameters) | {
            name: _instance(artifact, places[name]) for name, artifact in step.artifacts.items()
        }
        super().put(key, outputs)
        write_atomically(self._record(key), step.to_json())
        self._note_contents(step, outputs)
        return outputs

    def _complete(self, key: str, outputs: Outputs) -> None:
        """Send what is known here and not there, as after an interrupted run."""
        step = self._recorded(key) or self._described(key, outputs)
        self._note_contents(step, outputs)
        if not self._root.holds(self._root_keys[key]):
            self._send(key, step, outputs)

    def _send(self, key: str, step: StoredStep, outputs: Outputs) -> None:
        places = {name: Path(outputs[name].uri) for name in step.artifacts}
        with self._reporting() as reporter:
            self._root.send(self._root_keys[key], step, places, reporter)
            reporter.message(f"stored in {self._root}")

    def _described(self, key: str, outputs: Outputs) -> StoredStep:
        """What these outputs contain, which is read once and kept beside the cache's entry."""
        artifacts = {name: each for name, each in outputs.items() if isinstance(each, dsl.Artifact)}
        step = StoredStep(
            {name: value for name, value in outputs.items() if name not in artifacts},
            {name: _described_artifact(each) for name, each in artifacts.items()},
        )
        write_atomically(self._record(key), step.to_json())
        return step

    def _recorded(self, key: str) -> StoredStep | None:
        """The description kept beside an entry; None if the entry was made without one."""
        record, entry = self._record(key), Path(self._entry_path(key))
        try:
            if record.stat().st_mtime_ns < entry.stat().st_mtime_ns:
                return None
            return StoredStep.from_json(record.read_bytes())
        except (OSError, ValueError):
            return None

    def _record(self, key: str) -> Path:
        return self._folder.cache / f"{key}{CONTENT_SUFFIX}"

    def _note_contents(self, step: StoredStep, outputs: Outputs) -> None:
        for name, artifact in step.artifacts.items():
            self._digests[outputs[name].uri] = artifact.digest

    def _by_content(self, value: Any) -> Any:
        """The same arguments with the contents of artifacts instead of their places."""
        if isinstance(value, dsl.Artifact):
            known = self._digests.get(value.uri) or _described_artifact(value).digest
            return type(value)(name=value.name, uri=known, metadata=value.metadata)
        if isinstance(value, list):
            return [self._by_content(each) for each in value]
        if isinstance(value, dict):
            return {name: self._by_content(each) for name, each in value.items()}
        return value


def _described_artifact(artifact: dsl.Artifact) -> StoredArtifact:
    files = stored_files(Path(artifact.uri))
    return StoredArtifact(artifact.schema_title, artifact.name, artifact.metadata, files)


def _instance(artifact: StoredArtifact, place: Path) -> dsl.Artifact:
    return create_artifact_instance(
        {
            "type": {"schemaTitle": artifact.type},
            "name": artifact.name,
            "uri": str(place),
            "metadata": dict(artifact.metadata),
        }
    )
