"""Which files of a directory count as complete; time is the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frhead_core.errors import InputError
from frhead_core.inference import watching
from frhead_core.inference.watching import complete_files


class Clock:
    """Stands in for the clock: passes when somebody sleeps, and lets things happen then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: dict[float, Callable[[], object]] = {}

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 6)
        for moment in [moment for moment in self.events if moment <= self.now]:
            self.events.pop(moment)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watching, "time", clock)
    return clock


def seen(
    folder: Path, clock: Clock, until: float = 10.0, only_new: bool = False
) -> Iterator[tuple[str, float]]:
    files = complete_files(
        folder, (".json", ".npy"), lambda: clock.now >= until, settle=1.0, only_new=only_new
    )
    return ((path.name, clock.now) for path in files)


def test_a_file_is_complete_when_it_has_not_changed_for_a_while(
    tmp_path: Path, clock: Clock
) -> None:
    growing = tmp_path / "growing.json"
    growing.write_text("a")
    for second in (1, 2, 3):
        clock.events[second - 0.25] = lambda: growing.write_text(growing.read_text() + "a")

    ((name, moment),) = seen(tmp_path, clock)

    assert name == "growing.json" and 3.5 <= moment <= 4.5
    assert len(growing.read_text()) == 4


def test_every_file_comes_once_the_oldest_first(tmp_path: Path, clock: Clock) -> None:
    for name in ("b.json", "a.npy"):
        (tmp_path / name).write_text(name)
    clock.events[4.0] = lambda: (tmp_path / "late.json").write_text("")

    assert [name for name, _ in seen(tmp_path, clock)] == ["b.json", "a.npy", "late.json"]


def test_a_renamed_file_is_never_seen_half_written(tmp_path: Path, clock: Clock) -> None:
    parts = [tmp_path / ".hidden.json", tmp_path / "other.json.part"]
    for part in parts:
        part.write_text("half")
    (tmp_path / "folder.json").mkdir()
    clock.events[5.0] = lambda: parts[1].rename(tmp_path / "other.json")

    ((name, moment),) = seen(tmp_path, clock)

    assert name == "other.json" and moment >= 6


def test_what_changes_or_comes_back_is_taken_again(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "latest.json"
    file.write_text("one")
    clock.events[3.0] = lambda: file.write_text("two!")
    clock.events[5.0] = file.unlink
    clock.events[6.0] = lambda: file.write_text("two!")

    assert [name for name, _ in seen(tmp_path, clock)] == ["latest.json"] * 3


def test_what_is_there_already_may_be_passed_over(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "old.json").write_text("")
    clock.events[2.0] = lambda: (tmp_path / "new.json").write_text("")

    assert [name for name, _ in seen(tmp_path, clock, only_new=True)] == ["new.json"]


def test_it_ends_between_two_files(tmp_path: Path, clock: Clock) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("")
    files = seen(tmp_path, clock)
    next(files)
    clock.now = 10.0

    assert list(files) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(InputError, match=r"nowhere: cannot be read \(No such file"):
        next(seen(tmp_path / "nowhere", clock))
