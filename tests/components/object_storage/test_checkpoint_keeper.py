"""Checkpoints in object storage: states, writers, and what the network does to them."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from components.object_storage.checkpoint_keeper import S3CheckpointKeeper, checkpoint_keeper
from components.object_storage.checkpoint_writer import Liveness
from components.object_storage.client import ObjectStore
from components.object_storage.errors import MissingBucketError, ObjectStorageError
from components.object_storage.location import Location
from frhead_core.errors import CheckpointError, InputError
from frhead_core.files import write_atomically
from frhead_core.progress import Reporter
from frhead_core.training.checkpoint_keeper import DIRECTORY_ALONE, HeldCheckpoint
from tests.s3_fixtures import QUICK
from tests.s3_proxy import FaultyProxy

pytestmark = pytest.mark.s3

LIVENESS = Liveness(beat=0.3, given_up=1.5)
ALONE = replace(QUICK, settling=0.0)  # where nobody else wants to write at the same time
NAME = "0123abcd"


class Messages(Reporter):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def keeper(bucket: Location) -> S3CheckpointKeeper:
    return S3CheckpointKeeper(str(bucket / "checkpoints"), ALONE, LIVENESS)


@pytest.fixture
def messages() -> Messages:
    return Messages()


def machine(tmp_path: Path, name: str) -> Path:
    """The checkpoint's directory on one of several machines."""
    directory = tmp_path / name / NAME
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def write(directory: Path, checkpoint: str, **others: str) -> None:
    """A state as training leaves it."""
    for name, text in {"checkpoint.pt": checkpoint, **others}.items():
        write_atomically(directory / name, text.encode())
    (directory / "lock").touch()


def content(directory: Path) -> dict[str, str]:
    found = (path for path in directory.rglob("*") if path.is_file())
    names = {path.relative_to(directory).as_posix(): path for path in found}
    return {
        name: path.read_text()
        for name, path in names.items()
        if name != "lock" and not name.startswith(".")
    }


def saved(keeper: S3CheckpointKeeper, directory: Path, *states: str) -> None:
    """A training that saves states and ends in order."""
    with keeper.hold(directory, Reporter()) as held:
        for state in states:
            write(directory, state)
            held.saved()
            held.finish()


def fetched(keeper: S3CheckpointKeeper, directory: Path, reporter: Reporter) -> dict[str, str]:
    with keeper.hold(directory, reporter):
        return content(directory)


def keys(store: ObjectStore, bucket: Location, text: str) -> list[str]:
    place = bucket / "checkpoints" / NAME
    found = [each.location.key.removeprefix(place.prefix) for each in store.objects(place)]
    return [key for key in found if text in key]


@contextmanager
def lost(keeper: S3CheckpointKeeper, directory: Path, state: str) -> Iterator[HeldCheckpoint]:
    """A training whose machine is lost after a state was kept: it says no more after that."""
    hold = keeper.hold(directory, Reporter())
    held = hold.__enter__()
    write(directory, state)
    held.saved()
    held.finish()
    writer = held._writer  # type: ignore[attr-defined]
    writer._ending.set()
    yield held
    held.close()  # type: ignore[attr-defined]


def test_another_machine_goes_on_from_the_newest_state(keeper, messages, tmp_path) -> None:
    first, second = machine(tmp_path, "first"), machine(tmp_path, "second")
    write(second, "older", unknown="gone")
    with keeper.hold(first, messages) as held:
        for number in range(5):
            write(first, f"state {number}", **{"tensorboard/events": f"{number}"})
            held.saved()
        held.finish()

    assert fetched(keeper, second, messages) == {
        "checkpoint.pt": "state 4",
        "tensorboard/events": "4",
    }
    (told,) = messages.texts
    assert told.startswith(f"fetching the checkpoint {keeper.root}/{NAME}/manifest-000001-")


def test_only_what_the_last_two_states_name_is_kept(keeper, store, bucket, tmp_path) -> None:
    saved(keeper, machine(tmp_path, "first"), *"abcd")
    assert keys(store, bucket, "manifest") == [
        f"manifest-000001-0000000{number}.json" for number in (3, 4)
    ]
    sums = {text: hashlib.sha256(text.encode()).hexdigest() for text in "abcdefg"}
    assert set(keys(store, bucket, "contents")) == {f"contents/000001/{sums[x]}" for x in "cd"}

    place = bucket / "checkpoints" / NAME / "contents"
    store.begin_upload(place / "000001/half", "half")  # and then it was killed
    saved(keeper, machine(tmp_path, "second"), "e")
    assert store.uploads_below(place) == []
    expected = {f"contents/000001/{sums['d']}", f"contents/000002/{sums['e']}"}
    assert set(keys(store, bucket, "contents")) == expected

    saved(keeper, machine(tmp_path, "third"), "f", "g")
    expected = {f"contents/000003/{sums[x]}" for x in "fg"}
    assert set(keys(store, bucket, "contents")) == expected


def test_what_is_here_and_was_not_sent_yet_is_gone_on_from_and_sent(
    keeper, messages, tmp_path
) -> None:
    here, there = machine(tmp_path, "here"), machine(tmp_path, "there")
    saved(keeper, here, "sent")
    write(here, "not sent")  # killed before it was

    with keeper.hold(here, messages) as held:
        assert content(here) == {"checkpoint.pt": "not sent"}
        held.finish()
    assert fetched(keeper, there, messages) == {"checkpoint.pt": "not sent"}

    # But not when another machine has gone on meanwhile.
    saved(keeper, there, "further")
    write(here, "not as far")
    assert fetched(keeper, here, messages) == {"checkpoint.pt": "further"}


@pytest.mark.parametrize("what", ["contents", "manifest"])
@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_a_damaged_state_is_passed_over(
    keeper, store, bucket, messages, tmp_path, what: str, damage: str
) -> None:
    first = machine(tmp_path, "first")
    saved(keeper, first, "one")
    before = set(keys(store, bucket, what))
    saved(keeper, first, "two")
    (newest,) = set(keys(store, bucket, what)) - before
    place = bucket / "checkpoints" / NAME / newest
    if damage == "changed":
        facts = store.head(place)
        store.put(place, store.read(place)[::-1], facts.sha256)
    else:
        store.remove(place)

    second = machine(tmp_path, "second")
    assert fetched(keeper, second, messages) == {"checkpoint.pt": "one"}
    passed_over = [text for text in messages.texts if "passing over a damaged" in text]
    assert len(passed_over) == (0 if (what, damage) == ("manifest", "removed") else 1)
    assert all(newest in text for text in passed_over)

    # The machine that has the state has it still.
    with keeper.hold(first, messages) as held:
        assert content(first)["checkpoint.pt"] == "two"
        held.finish()
    if what == "manifest":  # and sends it again
        assert fetched(keeper, machine(tmp_path, "third"), messages) == {"checkpoint.pt": "two"}


def test_nothing_whole_is_an_error_and_no_new_beginning(
    keeper, store, bucket, messages, tmp_path
) -> None:
    saved(keeper, machine(tmp_path, "first"), "one")
    for key in keys(store, bucket, "contents"):
        store.put(bucket / "checkpoints" / NAME / key, b"eno")

    second = machine(tmp_path, "second")
    with pytest.raises(CheckpointError, match="none of the states of this checkpoint is whole"):
        fetched(keeper, second, messages)
    assert content(second) == {}


def test_a_name_that_leads_elsewhere_is_refused(keeper, store, bucket, messages, tmp_path) -> None:
    saved(keeper, machine(tmp_path, "first"), "one")
    place = bucket / "checkpoints" / NAME / keys(store, bucket, "manifest")[0]
    changed = store.read(place).replace(b"checkpoint.pt", b"../checkpoint")
    store.put(place, changed, hashlib.sha256(changed).hexdigest())

    with pytest.raises(CheckpointError, match="none of the states"):
        fetched(keeper, machine(tmp_path, "second"), messages)
    assert "a name that no file of a checkpoint has" in messages.texts[0]


def test_a_second_writer_is_refused_while_the_first_is_alive(keeper, messages, tmp_path) -> None:
    with (
        keeper.hold(machine(tmp_path, "first"), messages) as held,
        pytest.raises(CheckpointError, match=r"another training writes this checkpoint: process"),
        keeper.hold(machine(tmp_path, "second"), messages),
    ):
        pass
    assert held is not None


def test_a_lost_writer_is_given_up_after_a_while_and_has_to_end_if_it_was_not_lost(
    keeper, store, bucket, messages, tmp_path
) -> None:
    first, second = machine(tmp_path, "first"), machine(tmp_path, "second")
    with lost(keeper, first, "one") as lost_one:
        begin = time.monotonic()
        with keeper.hold(second, messages) as held:
            assert time.monotonic() - begin < 10 * LIVENESS.given_up
            assert content(second) == {"checkpoint.pt": "one"}
            assert any("it is taken over in" in text for text in messages.texts)
            write(second, "two")
            held.saved()
            held.finish()

            write(first, "another")
            lost_one.saved()
            with pytest.raises(CheckpointError, match="has taken this checkpoint over"):
                lost_one.finish()
            with pytest.raises(CheckpointError, match="has taken this checkpoint over"):
                lost_one.saved()
        assert fetched(keeper, machine(tmp_path, "third"), messages) == {"checkpoint.pt": "two"}


def test_the_same_directory_need_not_wait(keeper, messages, tmp_path) -> None:
    first = machine(tmp_path, "first")
    with lost(keeper, first, "one"), keeper.hold(first, messages):
        assert content(first) == {"checkpoint.pt": "one"}
    assert messages.texts == []


def test_of_several_that_begin_at_the_same_time_one_writes(bucket, tmp_path) -> None:
    keeper = S3CheckpointKeeper(str(bucket / "checkpoints"), QUICK, LIVENESS)
    release = threading.Event()
    ends: list[object] = []

    def begin(number: int) -> None:
        try:
            with keeper.hold(machine(tmp_path, str(number)), Reporter()):
                ends.append("writes")
                release.wait(30)
        except CheckpointError as error:
            ends.append(error)

    threads = [threading.Thread(target=begin, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(ends) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    release.set()
    for thread in threads:
        thread.join()
    assert ends.count("writes") == 1
    assert len(ends) == 3


def test_a_broken_network_stops_nothing_but_the_end(
    bucket, proxy: FaultyProxy, messages, tmp_path
) -> None:
    keeper = S3CheckpointKeeper(str(bucket / "checkpoints"), ALONE, LIVENESS)
    first = machine(tmp_path, "first")
    with keeper.hold(first, messages) as held:
        proxy.plan("reset_before", "PUT", "contents")
        proxy.plan("reset_after", "PUT", "manifest")
        write(first, "one")
        held.saved()
        held.finish()
        assert messages.texts == []
        assert not any(fault.times for fault in proxy.faults)

        proxy.plan("reset_before", "PUT", "contents", times=1000)
        write(first, "two")
        held.saved()
        held._wait()  # type: ignore[attr-defined]
        assert "warning: the checkpoint could not be sent" in messages.texts[0]
        write(first, "three")
        held.saved()  # goes on
        with pytest.raises(CheckpointError, match="the last checkpoint could not be sent") as told:
            held.finish()
        assert f"It stays in {first}" in str(told.value)

        proxy.faults.clear()
        held.finish()
    assert fetched(keeper, machine(tmp_path, "second"), messages) == {"checkpoint.pt": "three"}


def test_the_latest_state_wins_when_the_network_is_slow(
    bucket, proxy: FaultyProxy, messages, store, tmp_path
) -> None:
    keeper = S3CheckpointKeeper(str(bucket / "checkpoints"), ALONE, LIVENESS)
    first = machine(tmp_path, "first")
    proxy.plan("slow", "PUT", "contents", seconds=1.0)
    with keeper.hold(first, messages) as held:
        begin = time.monotonic()
        for number in range(20):
            write(first, f"state {number}")
            held.saved()
        assert time.monotonic() - begin < 1.0, "it waited for the network"
        held.finish()
    assert proxy.count("PUT", "manifest") <= 3
    assert fetched(keeper, machine(tmp_path, "second"), messages)["checkpoint.pt"] == "state 19"


def test_what_cannot_work_is_told_before_anything_is_trained(
    bucket, messages, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = S3CheckpointKeeper("s3://no-such-bucket-here/checkpoints", QUICK, LIVENESS)
    with pytest.raises(MissingBucketError, match="the bucket does not exist"):
        fetched(missing, machine(tmp_path, "first"), messages)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    refused = S3CheckpointKeeper(str(bucket), QUICK, LIVENESS)
    with pytest.raises(ObjectStorageError, match="secret key is wrong") as told:
        fetched(refused, machine(tmp_path, "first"), messages)
    assert "not-the-secret" not in str(told.value)


def test_who_keeps_the_checkpoints_of_a_root(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkpoint_keeper(Path("runs/checkpoints")) is DIRECTORY_ALONE
    assert checkpoint_keeper("s3://bucket/some/") == S3CheckpointKeeper("s3://bucket/some")
    with pytest.raises(InputError, match="checkpoints cannot be kept there"):
        checkpoint_keeper("gs://bucket")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(InputError, match="on several machines"):
        checkpoint_keeper("s3://bucket/some")
