"""Who writes a checkpoint in object storage: one at a time, as long as it shows signs of life.

A writer takes a number by creating an object, and writes the object anew every few seconds. One
that has not done so for a stated time is taken for dead: the next number may be taken then. Who has
been given up learns it from the object with the next number, before it writes a manifest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.object_storage.client import ObjectFacts, ObjectStore
from components.object_storage.errors import ObjectStorageError
from components.object_storage.location import Location
from frhead_core.errors import CheckpointError
from frhead_core.progress import Reporter

_NAME = re.compile(r"writer-(\d{6,})\.json")
_LOOKS = 4  # how often one looks for a sign of life between two of them


@dataclass(frozen=True)
class Liveness:
    """How a writer shows that it is alive.

    Attributes:
        beat: Seconds between two signs of life.
        given_up: Seconds without one after which another takes its place.
    """

    beat: float = 10.0
    given_up: float = 40.0


@dataclass(frozen=True)
class WriterRecord:
    """What a writer's object says.

    Attributes:
        mark: Drawn at random, so that no two writers write the same.
        mirror: Mark of the directory that it writes from, which one process at a time holds.
        host: Name of its machine.
        process: Its number there.
        beats: How many signs of life it has given.
        ended: Whether it has ended in order.
    """

    mark: str
    mirror: str
    host: str
    process: int
    beats: int = 0
    ended: bool = False

    def to_json(self) -> bytes:
        """The object's content."""
        return (json.dumps(dataclasses.asdict(self), sort_keys=True) + "\n").encode()


class CheckpointWriter:
    """This process as the writer of a checkpoint.

    Args:
        place: The checkpoint.
        store: The server.
        mirror: Mark of the directory that is written from.
        liveness: How it shows that it is alive.
    """

    def __init__(
        self, place: Location, store: ObjectStore, mirror: str, liveness: Liveness
    ) -> None:
        self._place, self._store, self._liveness = place, store, liveness
        self._record = WriterRecord(secrets.token_hex(8), mirror, socket.gethostname(), os.getpid())
        self.number = 0
        self._superseded = False
        self._ending = threading.Event()

    @contextlib.contextmanager
    def writing(self, reporter: Reporter) -> Iterator[None]:
        """Be the writer, once there is no other.

        Raises:
            CheckpointError: If there is another one that is alive.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        self._take_number(reporter)
        beating = threading.Thread(target=self._beat, name="checkpoint writer", daemon=True)
        beating.start()
        try:
            yield
        finally:
            self._ending.set()
            beating.join()
            with contextlib.suppress(ObjectStorageError):  # then it is given up after a while
                self._write(ended=True)

    def refuse_if_superseded(self, *, ask: bool = False) -> None:
        """Stop who has been given up.

        Args:
            ask: Ask the server; else it is enough what was found out at the last sign of life.

        Raises:
            CheckpointError: If there is another writer now.
            ObjectStorageError: If the server refuses or cannot be reached.
        """
        if ask:
            self._look_for_successor()
        if self._superseded:
            raise CheckpointError(
                "another training has taken this checkpoint over, as this one gave no sign of life "
                f"for {self._liveness.given_up:.0f} s",
                file=str(self._place),
                hint="It goes on there; this one has to end",
            )

    def _take_number(self, reporter: Reporter) -> None:
        number = self._highest()
        while True:
            if number:
                self._wait_for_end_of(number, reporter)
            self.number = number + 1
            if self._store.put_if_absent(self._object(self.number), self._record.to_json()):
                return
            number += 1

    def _highest(self) -> int:
        names = (each.location.name for each in self._store.objects(self._place, recursive=False))
        return max((int(found[1]) for name in names if (found := _NAME.fullmatch(name))), default=0)

    def _wait_for_end_of(self, number: int, reporter: Reporter) -> None:
        """Return when another writer has ended or is given up; refuse to go on if it lives."""
        facts, values = self._look_at(number)
        if self._is_over(values):
            return
        age = 0.0
        if facts.asked is not None:  # both by the server's clock
            age = max(0.0, (facts.asked - facts.modified).total_seconds())
        left = self._liveness.given_up - age
        who = f"process {values.get('process', '?')} on {values.get('host', '?')}"
        if left > 0:
            reporter.message(
                f"waiting: {self._place} was written by {who} {age:.0f} s ago; it is taken over "
                f"in {left:.0f} s unless that shows that it is alive"
            )
        until = time.monotonic() + left
        while (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, self._liveness.beat / _LOOKS))
            later, values = self._look_at(number)
            if self._is_over(values):
                return
            if later.etag != facts.etag:
                raise CheckpointError(
                    f"another training writes this checkpoint: {who}",
                    file=str(self._place),
                    hint="Wait until it has ended, or end it. If it is lost, the same command goes "
                    f"on {self._liveness.given_up:.0f} s after its last sign of life",
                )
        reporter.message(f"taking over {self._place} from {who}, which gave no sign of life")

    def _look_at(self, number: int) -> tuple[ObjectFacts, dict[str, Any]]:
        location = self._object(number)
        facts = self._store.head(location)
        try:
            values = json.loads(self._store.read(location))
        except ValueError:
            values = None
        return facts, values if isinstance(values, dict) else {}

    def _is_over(self, values: dict[str, Any]) -> bool:
        # Who wrote from the directory whose lock this process holds cannot be alive.
        return bool(values.get("ended")) or values.get("mirror") == self._record.mirror

    def _beat(self) -> None:
        while not self._ending.wait(self._liveness.beat):
            with contextlib.suppress(ObjectStorageError):  # the next one may arrive
                self._record = dataclasses.replace(self._record, beats=self._record.beats + 1)
                self._write()
                self._look_for_successor()

    def _write(self, *, ended: bool = False) -> None:
        record = dataclasses.replace(self._record, ended=ended)
        self._store.put(self._object(self.number), record.to_json())

    def _look_for_successor(self) -> None:
        self._superseded |= self._store.find(self._object(self.number + 1)) is not None

    def _object(self, number: int) -> Location:
        return self._place / f"writer-{number:06d}.json"
