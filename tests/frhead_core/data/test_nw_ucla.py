from __future__ import annotations

import reprlib
from collections import Counter

import numpy as np
import pytest

from frhead_core.data import nw_ucla
from frhead_core.data.raw_files import open_raw_files
from frhead_core.data.recordings import Quarantined, RecordedBodies, Recording
from frhead_core.errors import InputError

GOOD = "a01_s01_e00_v01"


def read(raw, official_list=False):
    with open_raw_files(raw, ".json") as files:
        return list(nw_ucla.NWUCLASource(files, raw, official_list=official_list))


def reason(raw):
    (item,) = read(raw)
    assert isinstance(item, Quarantined)
    assert item.file == f"{item.name}.json"
    return item.reason


def test_the_official_list():
    train = [nw_ucla.recording(name) for name in nw_ucla.train_names()]
    test = [nw_ucla.recording(name) for name in nw_ucla.test_names()]
    assert Counter(who.camera for who in train) == {1: 516, 2: 504}
    assert Counter(who.camera for who in test) == {3: 464}
    per_class = Counter(who.label for who in train)
    assert [per_class[k] for k in range(10)] == [102, 102, 96, 124, 101, 102, 99, 99, 98, 97]
    per_class = Counter(who.label for who in test)
    assert [per_class[k] for k in range(10)] == [48, 50, 45, 49, 47, 47, 43, 43, 47, 45]
    assert len(set(nw_ucla.train_names() + nw_ucla.test_names())) == 1484
    assert nw_ucla.test_names()[0] == "a05_s04_e02_v03"


def test_a_name_says_who_and_what():
    assert nw_ucla.recording("a12_s09_e04_v03") == Recording(
        name="a12_s09_e04_v03",
        setup=0,
        camera=3,
        performer=9,
        replication=4,
        action=12,
        label=9,
    )
    assert nw_ucla.CLASSES[9] == "carry"


def test_recordings_come_in_the_order_of_their_names(raw, write_recording):
    write_recording("a02_s01_e00_v01", frames=4)
    write_recording(GOOD, frames=2)
    first, second = read(raw)
    assert isinstance(first, RecordedBodies)
    assert isinstance(second, RecordedBodies)
    assert [first.recording.name, second.recording.name] == [GOOD, "a02_s01_e00_v01"]
    assert first.bodies.shape == (1, 2, 20, 3)
    assert first.bodies.dtype == np.float64


def test_a_cut_file(raw, write_recording):
    path = write_recording(GOOD)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert reason(raw).startswith("not whole JSON: ")
    assert reason(raw).endswith(f" of {len(content) // 2}")


def test_a_wrong_joint_count(raw, write_recording):
    good = np.zeros((3, 20, 3)).tolist()
    write_recording(GOOD, skeletons=[good[0], good[1][:19], good[2]])
    assert reason(raw) == "frame 1 has 19 joints, expected 20"
    write_recording(GOOD, skeletons=np.zeros((2, 25, 3)).tolist())
    assert reason(raw) == "frame 0 has 25 joints, expected 20"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "left", 10**400])
def test_a_coordinate_that_is_no_finite_number(raw, write_recording, value):
    coordinates = np.zeros((4, 20, 3)).tolist()
    coordinates[2][7][1] = value
    write_recording(GOOD, skeletons=coordinates)
    assert reason(raw) == f"frame 2, joint 7, y: {reprlib.repr(value)} is not a finite number"


def test_a_joint_without_depth(raw, write_recording):
    coordinates = np.zeros((4, 20, 3)).tolist()
    coordinates[3][0] = [0.0, 0.0]
    write_recording(GOOD, skeletons=coordinates)
    assert reason(raw) == "frame 3, joint 0: [0.0, 0.0] is not x, y, z"


def test_an_empty_sequence(raw, write_recording):
    write_recording(GOOD, skeletons=[])
    assert reason(raw) == "empty sequence: no frames"


@pytest.mark.parametrize("value", [None, {}, 3, "x"])
def test_no_sequence_at_all(raw, write_recording, value):
    write_recording(GOOD, skeletons=value)
    assert reason(raw) == f"skeletons is a {type(value).__name__}, expected a list of frames"


def test_an_unknown_action_number(raw, write_recording):
    write_recording("a07_s01_e00_v01")
    assert reason(raw).startswith("unknown action number 7, expected one of 1, 2, 3, 4, 5, 6, 8")


@pytest.mark.parametrize("label", [2, 0, None, "1"])
def test_a_label_that_contradicts_the_name(raw, write_recording, label):
    write_recording(GOOD, label=label)
    expected = f"label {label!r} contradicts the name, whose action 1 has label 1"
    assert reason(raw) == expected


def test_a_file_name_that_contradicts_the_name(raw, write_recording):
    write_recording(GOOD, file_name="a02_s01_e00_v01")
    assert reason(raw) == "file_name 'a02_s01_e00_v01' contradicts the name of the file"


def test_a_strange_name(raw, write_recording):
    write_recording("take one")
    assert reason(raw) == "strange name, expected one like a01_s01_e00_v01"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[1]", "a JSON list, expected an object"),
        (b'{"label": 1}', 'no field "skeletons"'),
        (b'{"skeletons": []}', 'no field "label"'),
        (b'"\xff"', "not UTF-8 text at byte 1"),
        (b"[" * 100_000, "JSON nested too deeply"),
        (b"", "not whole JSON: Expecting value at character 0 of 0"),
    ],
)
def test_other_content(raw, content, expected):
    (raw / f"{GOOD}.json").write_bytes(content)
    assert reason(raw) == expected


def test_a_name_that_occurs_twice(raw, write_recording):
    content = write_recording(GOOD).read_text()
    (raw / "again").mkdir()
    (raw / "again" / f"{GOOD}.json").write_text(content)
    first, second = read(raw)
    assert isinstance(first, RecordedBodies)
    assert second.file == f"again/{GOOD}.json"
    assert second.reason == "the name occurs more than once"


def test_missing_recordings_of_the_benchmark_are_named(raw, write_recording):
    write_recording(GOOD)
    with pytest.raises(InputError) as caught:
        read(raw, official_list=True)
    assert str(caught.value) == (
        f"{raw}: 1483 of the 1484 recordings of the benchmark are missing; found no "
        "a01_s01_e00_v02, a01_s01_e00_v03, a01_s01_e01_v01, a01_s01_e01_v02, a01_s01_e01_v03, "
        "...; expected all of them. Download it again, or set preparation.official_list to false"
    )


def test_recordings_outside_the_benchmark_are_left_out(raw, write_recording, monkeypatch):
    monkeypatch.setattr(nw_ucla, "train_names", lambda: (GOOD,))
    monkeypatch.setattr(nw_ucla, "test_names", lambda: ("a01_s01_e00_v03",))
    for name in (GOOD, "a01_s01_e00_v03", "a01_s99_e00_v01"):
        write_recording(name)
    *used, left_out = read(raw, official_list=True)
    assert [item.recording.name for item in used] == [GOOD, "a01_s01_e00_v03"]
    assert left_out.reason == "not on the benchmark's list"
