"""The queue and its processes: real processes, and consoles that end at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from frhead_core.errors import InputError
from pipeline.console.database import FILE_NAME, METADATA, open_database
from pipeline.console.failures import NoSuchThingError
from pipeline.console.queue_driver import QueueDriver
from pipeline.console.queue_entries import Queue, QueueEntry
from pipeline.console.queue_processes import DetachedProcess

NOTHING: dict[str, str] = {"PATH": os.environ["PATH"]}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(open_database(tmp_path / "console"))


def added(queue: Queue, *names: str) -> list[QueueEntry]:
    entries = [queue.add([name], "demo", ["run", "demo"]) for name in names]
    assert all(entries)
    return entries


def test_migrations_make_the_tables_and_keep_what_is_in_them(tmp_path):
    engine = open_database(tmp_path)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert set(inspect(engine).get_table_names()) == {"alembic_version", "entries"}
    added(Queue(engine), "one")
    engine.dispose()
    again = Queue(open_database(tmp_path))
    assert [entry.name for entry in again.in_state("queued")] == ["one"]
    assert again.entry("one").arguments == ["run", "demo"]
    assert again.entry("one").asked.utcoffset().total_seconds() == 0


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path):
    (tmp_path / FILE_NAME).write_text("no database at all, but long enough to be looked at" * 50)
    with pytest.raises(InputError, match=FILE_NAME):
        open_database(tmp_path)


def test_entries_wait_in_their_order_which_can_be_changed(queue):
    added(queue, "one", "two", "three")
    assert queue.move_first("three")
    assert [entry.name for entry in queue.in_state("queued")] == ["three", "one", "two"]
    assert queue.withdraw("one")
    assert not queue.withdraw("one")
    assert queue.take("two")
    assert not queue.take("two")
    assert not queue.withdraw("two")
    assert not queue.move_first("two")
    assert [entry.name for entry in queue.in_state("queued")] == ["three"]
    with pytest.raises(NoSuchThingError):
        queue.entry("one")


def test_a_name_is_given_once(queue):
    assert queue.add(["one", "two"], "demo", []).name == "one"
    assert queue.add(["one", "two"], "demo", []).name == "two"
    assert queue.add(["one", "two"], "demo", []) is None


def test_a_process_is_known_from_its_folder_after_its_starter_was_killed(tmp_path):
    starter = f"""
import os, signal
from pathlib import Path
from pipeline.console.queue_processes import DetachedProcess
DetachedProcess(Path({str(tmp_path)!r})).start(["sh", "-c", "echo begun; sleep 600"], os.environ)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", starter], check=False)
    process = DetachedProcess(tmp_path)
    assert process.lives
    until(lambda: process.output() == "begun\n")
    with pytest.raises(BlockingIOError):
        process.start(["true"], NOTHING)
    assert os.getsid(process.number) == process.number
    os.killpg(process.number, signal.SIGKILL)
    until(lambda: not process.lives)


def test_a_folder_without_a_process_has_none(tmp_path):
    process = DetachedProcess(tmp_path / "none")
    assert (process.lives, process.number, process.output()) == (False, None, "")
    process.ask_to_end()


SCRIPT = """
import sys, time, json, pathlib
folder = pathlib.Path(sys.argv[1])
began = time.time()
while not (folder / "go").exists(): time.sleep(0.01)
(folder / f"{sys.argv[2]}.times").write_text(json.dumps([began, time.time()]))
record = folder / sys.argv[2] / "run.json"
record.parent.mkdir()
record.write_text(json.dumps({"status": sys.argv[3]}))
"""


@pytest.fixture
def driver(queue: Queue, tmp_path: Path) -> Callable[..., QueueDriver]:
    def make(command: list[str] | None = None, concurrency: int = 1) -> QueueDriver:
        def waiting(entry: QueueEntry) -> list[str]:
            return [sys.executable, "-c", SCRIPT, str(tmp_path), entry.name, "done"]

        chosen = waiting if command is None else lambda _entry: command
        return QueueDriver(queue, tmp_path, tmp_path / "console", concurrency, chosen)

    return make


def states(queue: Queue) -> dict[str, str]:
    return {
        each.name: each.state for each in (*queue.in_state("queued", "running"), *queue.ended(9))
    }


def turned_until(driver: QueueDriver, condition: Callable[[], bool]) -> None:
    def turn() -> bool:
        driver.turn()
        return condition()

    until(turn)


def test_no_more_run_at_once_than_stated(queue, driver, tmp_path):
    added(queue, "one", "two", "three")
    driven = driver(concurrency=2)
    driven.turn()
    assert states(queue) == {"one": "running", "two": "running", "three": "queued"}
    driven.turn()
    assert states(queue)["three"] == "queued"
    (tmp_path / "go").touch()
    turned_until(driven, lambda: set(states(queue).values()) == {"done"})


def test_with_one_at_a_time_the_next_begins_after_the_end_of_the_first(queue, driver, tmp_path):
    added(queue, "one", "two")
    (tmp_path / "go").touch()
    turned_until(driver(), lambda: set(states(queue).values()) == {"done"})
    first, second = (
        json.loads((tmp_path / f"{name}.times").read_text()) for name in ("one", "two")
    )
    assert first[1] <= second[0]


def test_two_consoles_start_nothing_twice(queue, driver, tmp_path):
    names = [f"run-{number}" for number in range(6)]
    drivers = [driver(concurrency=2), driver(concurrency=2)]
    for each in drivers:
        each.start()
    added(queue, *names)
    until(lambda: len(queue.in_state("running")) == 2)
    time.sleep(1.5)  # in which the other one would start more
    assert len(queue.in_state("running")) == 2
    (tmp_path / "go").touch()
    until(lambda: states(queue) == dict.fromkeys(names, "done"))
    for each in drivers:
        each.stop()


def test_another_console_takes_over_what_goes_on(queue, driver, tmp_path):
    added(queue, "one", "two")
    driver().turn()  # and this one is never heard of again
    (tmp_path / "go").touch()
    turned_until(driver(), lambda: states(queue) == {"one": "done", "two": "done"})


def test_what_was_never_started_waits_again(queue, driver):
    added(queue, "one")
    queue.take("one")  # and then the console was killed
    driven = driver(["sleep", "600"])
    driven.turn()
    assert states(queue) == {"one": "running"}
    assert driven.process("one").lives
    driven.stop_run(queue.entry("one"))
    turned_until(driven, lambda: states(queue) == {"one": "stopped"})


def test_a_process_that_ends_without_a_record_failed_and_its_output_is_kept(queue, driver):
    added(queue, "one")
    driven = driver(["sh", "-c", "echo no such thing >&2; exit 2"])
    turned_until(driven, lambda: states(queue) == {"one": "failed"})
    assert driven.process("one").output() == "no such thing\n"


def test_what_was_asked_to_stop_while_it_started_is_stopped(queue, driver):
    added(queue, "one")
    driven = driver(["sleep", "600"])
    real = queue.take

    def take_and_be_stopped(name: str) -> bool:
        return real(name) and driven.stop_run(queue.entry(name))

    queue.take = take_and_be_stopped
    driven.turn()
    turned_until(driven, lambda: states(queue) == {"one": "stopped"})


def test_runs_get_no_secret_of_the_console(queue, driver, monkeypatch):
    monkeypatch.setenv("FRHEAD_CONSOLE_TOKEN", "a-token-of-some-length")
    monkeypatch.setenv("FRHEAD_KFP_ENDPOINT", "https://elsewhere.example")
    added(queue, "one")
    driven = driver(["env"])
    turned_until(driven, lambda: bool(queue.ended(1)))
    assert "PYTHONPATH=" in driven.process("one").output()
    assert "FRHEAD_CONSOLE" not in driven.process("one").output()
    assert "elsewhere" not in driven.process("one").output()
