from __future__ import annotations

import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from frhead_core.config import Preparation
from frhead_core.data.datasets import extract_raw_skeletons
from frhead_core.data.ntu_names import NTU60, NTU120
from frhead_core.data.ntu_source import NTUSource
from frhead_core.data.ordered import ordered_map
from frhead_core.data.raw_files import open_raw_files
from frhead_core.data.recordings import Quarantined
from frhead_core.data.tracked_bodies import TrackedBodies, TrackedRecording
from frhead_core.errors import InputError, QuarantineLimitError

FOUND = Preparation(official_list=False, max_quarantined_share=1.0)
BODY = "\n".join(["7 0 0 0 0 0 0 0 0 2", "25", *["0.1 0.2 0.3 0 0 0 0 0 0 0 0 2"] * 25])
GOOD = f"2\n1\n{BODY}\n1\n{BODY}\n"
MISSING = "S001C002P005R002A008"


def fill(folder, *names, text=GOOD):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.skeleton").write_text(text)
    return folder


def pack(path, folder, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.iterdir(), reverse=True):
            archive.write(file, f"nturgb+d_skeletons/{file.name}")
    return path


def read(raw, facts=NTU120, official_list=False, first=0):
    with open_raw_files(Path(raw), ".skeleton") as files:
        source = NTUSource(files, Path(raw), facts, official_list=official_list)
        return list(source.starting_at(first)), dict(source.left_out), len(source)


def names(items):
    return [item.name if isinstance(item, Quarantined) else item.recording.name for item in items]


NAMES = [f"S001C001P001R001A{action:03}" for action in range(1, 31)]


@pytest.mark.parametrize(
    "method", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
)
def test_recordings_come_in_the_order_of_their_names(tmp_path, method):
    raw = fill(tmp_path / "raw", *NAMES)
    if method is not None:
        raw = pack(tmp_path / "raw.zip", raw, method)
    items, _, count = read(raw)
    assert names(items) == NAMES
    assert count == len(NAMES)
    assert all(isinstance(item, TrackedRecording) and item.frames == 2 for item in items)
    assert names(read(raw, first=17)[0]) == NAMES[17:]


def test_missing_skeletons_and_setups_of_the_larger_dataset_are_left_out(tmp_path):
    raw = fill(tmp_path / "raw", NAMES[0], MISSING, "S018C001P001R001A061", "S032C001P001R001A120")
    items, left_out, count = read(raw, NTU60)
    assert (names(items), count) == (NAMES[:1], 1)
    assert left_out == {"recordings with missing skeletons": 1, "recordings of other setups": 2}
    items, left_out, count = read(raw, NTU120)
    assert count == 3
    assert left_out == {"recordings with missing skeletons": 1, "recordings of other setups": 0}


@pytest.mark.parametrize(
    ("name", "facts", "reason"),
    [
        ("S001C001P001R001A061", NTU60, "unknown action 61, expected 1 to 60"),
        ("S033C001P001R001A001", NTU60, "unknown setup 33, expected 1 to 17"),
        ("S033C001P001R001A001", NTU120, "unknown setup 33, expected 1 to 32"),
        ("S001C001P001R001A121", NTU120, "unknown action 121, expected 1 to 120"),
        ("skeleton", NTU120, "strange name, expected one like S001C002P003R001A010"),
    ],
)
def test_names_of_no_recording_are_quarantined(tmp_path, name, facts, reason):
    raw = fill(tmp_path / "raw", name)
    assert read(raw, facts)[0] == [Quarantined(name, f"{name}.skeleton", reason)]


def test_a_name_twice_in_a_place_is_read_once(tmp_path):
    raw = fill(tmp_path / "raw", NAMES[0])
    fill(raw / "again", *NAMES[:2])
    items, _, _ = read(raw)
    assert names(items) == [NAMES[0], NAMES[0], NAMES[1]]
    assert isinstance(items[1], Quarantined)
    assert items[1].reason == "the name occurs more than once"


def test_several_places(tmp_path):
    one = fill(tmp_path / "one", *NAMES[::2])
    other = pack(tmp_path / "two.zip", fill(tmp_path / "two", *NAMES[1::2]))
    items, _, _ = read(f"{one},{other}")
    assert names(items) == NAMES


def test_a_name_in_two_places_is_refused(tmp_path):
    one, other = fill(tmp_path / "one", *NAMES[:3]), fill(tmp_path / "other", *NAMES[2:5])
    with pytest.raises(InputError) as caught:
        read(f"{one},{other}")
    assert str(caught.value) == (
        f"{NAMES[2]}: is in two places; found {one} and {other}; expected every recording once. "
        "Leave one of them out"
    )


def test_a_place_that_does_not_exist_is_named(tmp_path):
    one = fill(tmp_path / "one", NAMES[0])
    with pytest.raises(InputError, match=r"/two\.zip: does not exist"):
        read(f"{one},{tmp_path / 'two.zip'}")


def test_a_damaged_member_is_quarantined(tmp_path):
    raw = pack(tmp_path / "raw.zip", fill(tmp_path / "raw", *NAMES[:3]), zipfile.ZIP_STORED)
    content = raw.read_bytes()
    raw.write_bytes(content.replace(b"0.2", b"0.3", 1))  # of the last name, which comes first
    items, _, _ = read(raw)
    assert isinstance(items[2], Quarantined)
    assert items[2].reason == "is damaged in the archive (Bad CRC-32)"
    assert not any(isinstance(item, Quarantined) for item in items[:2])


def test_a_member_that_is_not_where_the_archive_says(tmp_path):
    raw = pack(tmp_path / "raw.zip", fill(tmp_path / "raw", *NAMES[:2]))
    raw.write_bytes(raw.read_bytes().replace(b"PK\3\4", b"PK\0\0"))
    items, _, _ = read(raw)
    assert {item.reason for item in items} == {
        "is damaged in the archive (no member begins where it should)"
    }


def test_the_official_list_must_be_there(tmp_path):
    raw = fill(tmp_path / "raw", *NAMES[:3], *NAMES[4:6])
    with pytest.raises(InputError) as caught:
        read(raw, NTU60, official_list=True)
    assert str(caught.value) == (
        f"{raw}: 56573 of the 56578 recordings of the dataset are missing; found 5, no {NAMES[3]}, "
        f"{', '.join(NAMES[6:10])}, ...; expected all of them. Download it again, or set "
        "preparation.official_list to false"
    )


def test_the_official_list_may_be_there(tmp_path):
    raw = fill(tmp_path / "raw", *NAMES[:3], MISSING)
    assert len(read(raw, replace(NTU60, listed=3), official_list=True)[0]) == 3
    with pytest.raises(InputError, match="1 more recordings than the dataset has; found 3; exp"):
        read(raw, replace(NTU60, listed=2), official_list=True)


def test_too_many_spoilt_files_stop_the_step(tmp_path):
    raw = fill(tmp_path / "raw", *NAMES)
    fill(raw, *NAMES[:4], text="2\n")
    strict = Preparation(official_list=False, max_quarantined_share=0.1)
    with pytest.raises(QuarantineLimitError, match="line 2: the file ends, expected the number of"):
        extract_raw_skeletons("ntu60", raw, tmp_path / "out", strict, "mark")
    report = extract_raw_skeletons("ntu60", raw, tmp_path / "out", FOUND, "mark")
    assert report.numbers["recordings quarantined"] == 4
    assert len(TrackedBodies.open(tmp_path / "out")) == 26


def test_zip_and_folder_give_the_same_bytes(tmp_path):
    folder = fill(tmp_path / "raw", *NAMES)
    for name, raw in (("one", folder), ("two", pack(tmp_path / "raw.zip", folder))):
        extract_raw_skeletons("ntu60", raw, tmp_path / name, FOUND, "mark")
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_few_results_wait():
    asked = []

    def items():
        for number in range(1000):
            asked.append(number)
            yield number

    results = ordered_map(lambda number: number * 2, items(), threads=3)
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert len(asked) < 30
    results.close()
    assert threading.active_count() < 10


def test_results_keep_their_order_and_errors_come_through():
    def work(number):
        if number == 50:
            raise KeyError(number)
        return number

    results = ordered_map(work, range(100), threads=4)
    assert [next(results) for _ in range(50)] == list(range(50))
    with pytest.raises(KeyError, match="50"):
        next(results)
