from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from components.champion_place import DirectoryPlace, champion_place
from components.champions import ChampionRecord, Champions, roll_back
from components.object_storage.client import ObjectStore
from components.object_storage.location import Location, is_uri
from frhead_core.errors import InputError


@pytest.fixture(params=["directory", "object storage"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "directory":
        return str(tmp_path / "root")
    bucket: Location = request.getfixturevalue("bucket")
    return str(bucket / "some/prefix")


@pytest.fixture
def champions(root: str) -> Champions:
    return Champions(champion_place(root), "demo")


def spoil(root: str, name: str, content: bytes) -> None:
    """Put something else in the place of an object, which the program itself never does."""
    if is_uri(root):
        ObjectStore().put(Location.parse(root) / name, content)
    else:
        (Path(root) / name).write_bytes(content)


def added(champions: Champions, tmp_path: Path, number: int, text: str) -> ChampionRecord:
    file = tmp_path / "weights"
    file.write_text(text)
    content, sums = champions.store({"models/joint/weights": file})
    record = ChampionRecord(
        number=number,
        benchmark="demo",
        kind="promotion",
        reason="better",
        run=f"run {number}",
        created="2026-01-02T03:04:05+00:00",
        mark=f"mark {number}",
        content=content,
        files=sums,
        recipe={},
        weights={"joint": 1.0},
        judged="scores/joint/last.npz",
        metrics={"top1": 90.0 + number, "samples": 10},
    )
    assert champions.add(record)
    return record


def test_the_highest_number_is_the_champion(champions: Champions, tmp_path: Path) -> None:
    assert champions.current() is None
    records = [added(champions, tmp_path, number, f"w{number}") for number in (1, 2, 10)]

    assert champions.current() == records[-1]
    assert [record.number for record in champions.history()] == [10, 2, 1]
    assert champions.record(2) == records[1]


def test_a_number_is_given_once_and_its_record_stays(champions: Champions, tmp_path: Path) -> None:
    first = added(champions, tmp_path, 1, "w1")

    assert not champions.add(dataclasses.replace(first, run="late"))
    assert champions.record(1) == first


def test_of_many_that_create_at_once_exactly_one_does(root: str) -> None:
    barrier = threading.Barrier(8)
    created: list[int] = []

    def create(number: int) -> None:
        place = champion_place(root)
        barrier.wait()
        if place.create("demo/000001.json", content(number)):
            created.append(number)

    def content(number: int) -> bytes:
        return str(number).encode() * 1000

    threads = [threading.Thread(target=create, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(created) == 1
    assert champion_place(root).read("demo/000001.json") == content(created[0])
    assert champion_place(root).names("demo") == ["000001.json"]


def test_nothing_else_is_left_in_a_directory(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path)
    assert [place.create("a", content) for content in (b"1", b"2")] == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_going_back_is_a_new_number_with_the_old_contents(
    champions: Champions, tmp_path: Path
) -> None:
    first, second = (added(champions, tmp_path, number, f"w{number}") for number in (1, 2))

    back = roll_back(champions, 1, "second one fails at night")

    assert champions.current() == back
    assert (back.number, back.kind, back.refers_to) == (3, "rollback", 1)
    assert (back.content, back.reason) == (first.content, "second one fails at night")
    assert champions.record(2) == second
    assert champions.file(back, "models/joint/weights") == b"w1"
    with pytest.raises(InputError, match="champion 3 is that model already"):
        roll_back(champions, 1, "again")
    with pytest.raises(InputError, match="demo has no champion 9; expected 1, 2, 3"):
        roll_back(champions, 9, "no such")


def test_contents_are_copied_out_only_as_they_went_in(
    champions: Champions, root: str, tmp_path: Path
) -> None:
    record = added(champions, tmp_path, 1, "w1")
    champions.fetch(record, "models/joint", tmp_path / "out")
    assert (tmp_path / "out" / "weights").read_text() == "w1"

    spoil(root, f"demo/contents/{record.content}/models/joint/weights", b"w2")

    with pytest.raises(InputError, match="weights: is damaged"):
        champions.fetch(record, "models/joint", tmp_path / "again")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not the record of a champion"),
        ("[]", "is not the record of a champion"),
        ('{"format_version": 1}', "is not the record of a champion"),
        ('{"format_version": 9}', "another version; found 9; expected 1"),
    ],
)
def test_a_damaged_record_is_named(
    champions: Champions, root: str, tmp_path: Path, content: str, problem: str
) -> None:
    added(champions, tmp_path, 1, "w1")
    spoil(root, "demo/000001.json", content.encode())

    with pytest.raises(InputError, match=f"000001.json.*{problem}"):
        champions.current()


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match="file/demo/a: cannot be written"):
        DirectoryPlace(tmp_path / "file").create("demo/a", b"")
    with pytest.raises(InputError, match="cannot be kept there; found ftp://host"):
        champion_place("ftp://host/champions")
