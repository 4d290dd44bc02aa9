"""Checkpoints that live in object storage, so that training goes on where there is nothing else.

A training works with a directory of its machine, the mirror. Before it begins, the newest state in
object storage is put there; what it saves there is sent by a thread of its own, of what waits only
the latest. What the network does in the middle of it stops no training; only its end waits.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from components.object_storage.checkpoint_states import (
    CheckpointStates,
    State,
    described,
    is_missing,
    state_files,
)
from components.object_storage.checkpoint_writer import CheckpointWriter, Liveness
from components.object_storage.client import ObjectStore, Patience
from components.object_storage.errors import ObjectStorageError
from components.object_storage.location import Location, is_uri
from frhead_core.errors import CheckpointError, InputError
from frhead_core.files import has_scheme, write_atomically
from frhead_core.progress import Reporter
from frhead_core.training.checkpoint_keeper import (
    DIRECTORY_ALONE,
    CheckpointKeeper,
    HeldCheckpoint,
)
from frhead_core.training.distributed import this_process

_RECORD = ".kept.json"
_OUTBOX = ".outbox"
# How often to try to give a sign of life: one that comes late is worth less than the next one.
_ATTEMPTS_AT_SIGNS = 3


def checkpoint_keeper(root: str | Path) -> CheckpointKeeper:
    """Who keeps the checkpoints of a root: a folder of this machine keeps them itself.

    Raises:
        InputError: If it is a URI of another kind than ``s3://``, or the training runs on several
            machines, of which only one has the mirror.
    """
    if not has_scheme(root):
        return DIRECTORY_ALONE
    if not is_uri(root):
        raise InputError(
            "checkpoints cannot be kept there", found=root, expected="a directory, or s3://..."
        )
    processes = this_process()
    if processes.count > processes.local_count:
        raise InputError(
            "a training on several machines needs a checkpoint root that all of them share",
            found=root,
            expected="a directory on a shared file system",
        )
    return S3CheckpointKeeper(str(Location.parse(str(root))))


@dataclass(frozen=True)
class S3CheckpointKeeper:
    """Keeps checkpoints below a prefix in object storage.

    Attributes:
        root: ``s3://bucket/prefix``.
        patience: How long to try.
        liveness: How writers show that they are alive.
    """

    root: str
    patience: Patience = field(default_factory=Patience)
    liveness: Liveness = field(default_factory=Liveness)

    def hold(self, directory: Path, reporter: Reporter) -> AbstractContextManager[HeldCheckpoint]:
        """As :class:`~frhead_core.training.checkpoint_keeper.CheckpointKeeper` says.

        Raises:
            CheckpointError: If another training that is alive writes this checkpoint, or none of
                its states is whole.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        return self._hold(directory, reporter)

    @contextlib.contextmanager
    def _hold(self, directory: Path, reporter: Reporter) -> Iterator[HeldCheckpoint]:
        place = Location.parse(self.root) / directory.name
        mirror = _Mirror(directory)
        states = CheckpointStates(place, ObjectStore(patience=self.patience))
        signs = ObjectStore(patience=replace(self.patience, attempts=_ATTEMPTS_AT_SIGNS))
        writer = CheckpointWriter(place, signs, mirror.mark, self.liveness)
        with writer.writing(reporter):
            newest = mirror.bring_up_to_date(states, reporter)
            held = _Held(mirror, states, writer, newest, reporter)
            patient = True
            try:
                held.send_what_was_not_sent()
                yield held
            except KeyboardInterrupt:  # whoever was asked to stop has waited, or no longer wants to
                patient = False
                raise
            finally:
                held.close(wait=patient)


class _Mirror:
    """The directory of this machine, and what is known of the states in object storage there.

    ``mark`` names the directory. The record also says which state the directory was made from;
    it is not there while a state is put into the directory, so that half of one is never used.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.mark, self._made_from = secrets.token_hex(8), ""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            values = json.loads((directory / _RECORD).read_text(encoding="utf-8"))
            self.mark, self._made_from = str(values["mirror"]), str(values["made_from"])
        shutil.rmtree(directory / _OUTBOX, ignore_errors=True)

    def bring_up_to_date(self, states: CheckpointStates, reporter: Reporter) -> State | None:
        """Let the directory hold the newest state, or one that was made from it here.

        Returns:
            The newest state in object storage that is whole; None if there is none.

        Raises:
            CheckpointError: If none of them is whole.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        names = states.names()
        for name in names:
            try:
                return self._made_to_hold(states.read(name), states, reporter)
            except ObjectStorageError as error:
                if not is_missing(error):
                    raise
                reporter.message(f"passing over a damaged checkpoint: {error}")
                if name == self._made_from and state_files(self.directory):
                    return None  # what is here is whole
        if names:
            raise CheckpointError(
                "none of the states of this checkpoint is whole",
                file=str(states.place),
                found=", ".join(names),
                hint="Remove what lies there to train from the start",
            )
        self._write(self._made_from)
        return None

    def note(self, state: State) -> None:
        """Note that the directory holds a state, or what was made from it."""
        self._made_from = state.name
        self._write(state.name)

    def _made_to_hold(self, state: State, states: CheckpointStates, reporter: Reporter) -> State:
        own = state.name == self._made_from or state.mirror == self.mark
        if not (own and state_files(self.directory)):
            reporter.message(f"fetching the checkpoint {states.place / state.name}")
            (self.directory / _RECORD).unlink(missing_ok=True)
            states.fetch(state, self.directory)
        self.note(state)
        return state

    def _write(self, made_from: str) -> None:
        record = {"mirror": self.mark, "made_from": made_from}
        write_atomically(self.directory / _RECORD, json.dumps(record).encode())


class _Held:
    """Sends what is saved in a mirror; one thread sends, and of what waits only the latest."""

    def __init__(
        self,
        mirror: _Mirror,
        states: CheckpointStates,
        writer: CheckpointWriter,
        newest: State | None,
        reporter: Reporter,
    ) -> None:
        self._mirror, self._states, self._writer = mirror, states, writer
        self._newest, self._reporter = newest, reporter
        self._saves = self._sequence = 0
        self._waiting: Path | None = None
        self._failure: Exception | None = None
        self._busy = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="checkpoint sender", daemon=True)
        self._thread.start()

    def send_what_was_not_sent(self) -> None:
        """Send what an earlier process has saved in the mirror and could not send."""
        files = state_files(self._mirror.directory)
        if files and (self._newest is None or described(files) != self._newest.files):
            self.saved()

    def saved(self) -> None:
        self._writer.refuse_if_superseded()
        self._saves += 1
        # A copy, as the next state will replace the files while they are sent.
        folder = self._mirror.directory / _OUTBOX / str(self._saves)
        for name, path in state_files(self._mirror.directory).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        with self._changed:
            if self._waiting is not None:
                shutil.rmtree(self._waiting)
            self._waiting = folder
            self._changed.notify_all()

    def finish(self) -> None:
        failure = self._wait()
        if failure is not None:
            self.saved()
            failure = self._wait()
        self._writer.refuse_if_superseded()
        if failure is not None:
            raise CheckpointError(
                f"the last checkpoint could not be sent to object storage: {failure}",
                file=str(self._states.place),
                hint=f"It stays in {self._mirror.directory}; the same command on this machine "
                "sends it",
            ) from failure

    def close(self, *, wait: bool = True) -> None:
        """End the thread, once what it has to send is sent; wait for that, or leave it to it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if wait:
            self._thread.join()

    def _wait(self) -> Exception | None:
        """Until nothing is under way; why the last state could not be sent."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and self._waiting is None)
            return self._failure

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed)
                folder, self._waiting = self._waiting, None
                if folder is None:
                    return
                self._busy = True
            failure = self._sent(folder)
            with self._changed:
                self._failure, self._busy = failure, False
                self._changed.notify_all()

    def _sent(self, folder: Path) -> Exception | None:
        """Send a state; None, or what was in the way."""
        try:
            self._send(folder)
        except Exception as error:  # whatever it is, training goes on
            self._reporter.message(
                f"warning: the checkpoint could not be sent to object storage: {error}"
            )
            return error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return None

    def _send(self, folder: Path) -> None:
        sequence, writer = self._sequence + 1, self._writer
        files = described(state_files(folder))
        state = State(writer.number, sequence, self._mirror.mark, files)
        writer.refuse_if_superseded(ask=True)
        self._states.write(state, folder)
        previous, self._newest, self._sequence = self._newest, state, sequence
        self._mirror.note(state)
        with contextlib.suppress(ObjectStorageError):  # the next one removes more
            self._states.remove_but(state, previous)
