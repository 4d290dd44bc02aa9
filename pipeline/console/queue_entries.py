"""The queue: what the console was asked to run, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, Update, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.console.database import ENTRIES
from pipeline.console.failures import NoSuchThingError

EntryState = Literal["queued", "running", "done", "failed", "stopped"]
_COLUMNS = ENTRIES.c


@dataclass(frozen=True)
class QueueEntry:
    """One run that was asked for.

    Attributes:
        name: Of the run and its folder.
        benchmark: For people.
        arguments: Of the command ``frhead``, without the name.
        again: The run that it repeats; None if it is new.
        state: ``queued`` before it starts, then ``running`` as long as its process lives.
        position: Its place among those that wait; the smallest is next.
        asked: When it was asked for.
        started: When its process was started; None before.
        ended: When its end was noticed; None before.
        stop_asked: Whether it was asked to end.
    """

    name: str
    benchmark: str
    arguments: Sequence[str]
    again: str | None
    state: EntryState
    position: int
    asked: datetime
    started: datetime | None = None
    ended: datetime | None = None
    stop_asked: bool = False


class Queue:
    """The entries in a database, for several threads and processes at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        names: Iterable[str],
        benchmark: str,
        arguments: Sequence[str],
        again: str | None = None,
    ) -> QueueEntry | None:
        """A new entry at the end of the queue.

        Args:
            names: What it may be called; the first that no other has is taken.
            benchmark: For people.
            arguments: Of the command ``frhead``, without the name.
            again: The run that it repeats.

        Returns:
            The entry; None if others have all the names.
        """
        last = select(func.coalesce(func.max(_COLUMNS.position), 0) + 1).scalar_subquery()
        facts: dict[str, Any] = {
            "benchmark": benchmark,
            "arguments": list(arguments),
            "again": again,
            "state": "queued",
            "asked": datetime.now(UTC),
            "stop_asked": False,
        }
        for name in names:
            try:
                with self._engine.begin() as connection:
                    connection.execute(insert(ENTRIES).values(name=name, position=last, **facts))
                return self.entry(name)
            except IntegrityError:
                continue
        return None

    def entry(self, name: str) -> QueueEntry:
        """One entry.

        Raises:
            NoSuchThingError: If there is none of this name.
        """
        found = self._entries(_COLUMNS.name == name)
        if not found:
            raise NoSuchThingError(f"The queue has no {name}.")
        return found[0]

    def in_state(self, *states: EntryState) -> list[QueueEntry]:
        """All entries in one of these states, in the order of the queue."""
        return self._entries(_COLUMNS.state.in_(states))

    def ended(self, limit: int) -> list[QueueEntry]:
        """Those that ended last, newest first."""
        over = select(ENTRIES).where(_COLUMNS.ended.is_not(None))
        with self._engine.connect() as connection:
            rows = connection.execute(over.order_by(_COLUMNS.ended.desc()).limit(limit))
            return [QueueEntry(**row._mapping) for row in rows]

    def repeating(self, run: str) -> QueueEntry | None:
        """The entry that repeats a run and has not ended."""
        unended = _COLUMNS.state.in_(("queued", "running"))
        return next(iter(self._entries((_COLUMNS.again == run) & unended)), None)

    def withdraw(self, name: str) -> bool:
        """Forget an entry that waits; whether it did."""
        query = delete(ENTRIES).where(_COLUMNS.name == name, _COLUMNS.state == "queued")
        with self._engine.begin() as connection:
            return connection.execute(query).rowcount == 1

    def move_first(self, name: str) -> bool:
        """Let an entry that waits be the next; whether it waited."""
        first = select(func.min(_COLUMNS.position) - 1).scalar_subquery()
        return self._change(_where(name, "queued").values(position=first))

    def take(self, name: str) -> bool:
        """Mark an entry that waits as running; whether it waited until now."""
        return self._change(_where(name, "queued").values(state="running", started=_now()))

    def give_back(self, name: str) -> bool:
        """Let an entry wait again whose process was never started; whether it was running."""
        return self._change(_where(name, "running").values(state="queued", started=None))

    def ask_to_stop(self, name: str) -> bool:
        """Note that a running entry was asked to end; whether it was running."""
        return self._change(_where(name, "running").values(stop_asked=True))

    def end(self, name: str, state: EntryState) -> bool:
        """Note how a running entry ended; whether it was running until now."""
        return self._change(_where(name, "running").values(state=state, ended=_now()))

    def _change(self, change: Update) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(change).rowcount == 1

    def _entries(self, condition: ColumnElement[bool]) -> list[QueueEntry]:
        query = select(ENTRIES).where(condition).order_by(_COLUMNS.position)
        with self._engine.connect() as connection:
            return [QueueEntry(**row._mapping) for row in connection.execute(query)]


def _where(name: str, state: EntryState) -> Update:
    return update(ENTRIES).where(_COLUMNS.name == name, _COLUMNS.state == state)


def _now() -> datetime:
    return datetime.now(UTC)
