"""The console's database: one SQLite file, whose tables alembic brings up to date."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from filelock import FileLock
from sqlalchemy import (
    JSON,
    URL,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.exc import SQLAlchemyError

from frhead_core.errors import InputError

FILE_NAME = "console.sqlite"
_MIGRATIONS = Path(__file__).parent / "migrations"
_SECONDS_TO_WAIT = 30  # for another writer


class Moment(TypeDecorator[datetime]):
    """A time in UTC: SQLite keeps no time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


METADATA = MetaData()
ENTRIES = Table(
    "entries",
    METADATA,
    Column("name", String, primary_key=True),
    Column("benchmark", String, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("again", String),
    Column("state", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("asked", Moment, nullable=False),
    Column("started", Moment),
    Column("ended", Moment),
    Column("stop_asked", Boolean, nullable=False),
)
"""What the console was asked to run; :class:`~pipeline.console.queue_entries.QueueEntry`."""


def open_database(folder: Path) -> Engine:
    """The database in a folder, made or brought up to date if need be.

    Raises:
        InputError: If it cannot be used.
    """
    path = folder / FILE_NAME
    address = URL.create("sqlite", database=str(path))
    engine = create_engine(address, connect_args={"timeout": _SECONDS_TO_WAIT})
    event.listen(engine, "connect", _set_up)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{FILE_NAME}.lock"), engine.begin() as connection:
            configuration = Config()
            configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    except (OSError, SQLAlchemyError) as error:
        raise InputError(
            f"cannot be used ({error.__cause__ or error})",
            file=path,
            hint="Choose another --work-directory",
        ) from error
    return engine


def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
    """Readers and a writer at the same time; what was committed stays after a power cut."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
