from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from frhead_core.data.packed import FORMAT_VERSION, StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError


def metadata(kind="sequence store", dtype="float64"):
    return StoreMetadata(kind, "nw-ucla", "nw-ucla", dtype, "mark", ("a", "b"))


def recording(number):
    return Recording(f"r{number:04}", 0, 1, 1, number, 1, 0)


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(tmp_path):
    generator = np.random.default_rng(0)
    bodies = [generator.normal(size=(1 + n % 2, n + 1, 4, 3)) for n in range(5)]
    with PackedWriter(tmp_path / "store", metadata(), joints=4) as writer:
        for number, sequence in enumerate(bodies):
            writer.add(recording(number), sequence)
        writer.quarantined.append(Quarantined("x", "all/x.json", 'odd, "very"'))
    store = SequenceStore.open(tmp_path / "store")
    for number, sequence in enumerate(bodies):
        np.testing.assert_array_equal(store.sequence(number), sequence)
        assert store.recording(number) == recording(number)
    assert isinstance(store.coordinates, np.memmap)
    assert store.metadata.classes == ("a", "b")
    assert store.metadata.counts == {"sequences": 5, "rows": 21, "quarantined": 1}
    assert store.quarantined() == [Quarantined("x", "all/x.json", 'odd, "very"')]
    assert entries(tmp_path) == ["store"]


def test_a_sequence_cannot_be_written_to(write_store):
    store = SequenceStore.open(write_store([3]))
    with pytest.raises(ValueError, match="read-only"):
        store.sequence(0)[0, 0, 0, 0] = 1


def test_same_content_gives_the_same_bytes(tmp_path, write_store):
    one, other = write_store([3, 4], tmp_path / "one"), write_store([3, 4], tmp_path / "other")
    assert entries(one) == entries(other)
    for name in entries(one):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_a_store_travels_to_another_process_as_its_path(write_store):
    store = SequenceStore.open(write_store([200]))
    text = pickle.dumps(store)
    assert len(text) < 1000
    np.testing.assert_array_equal(pickle.loads(text).coordinates, store.coordinates)


def test_memory_does_not_grow_with_the_sequences(tmp_path):
    sequence = np.zeros((1, 50, 25, 3))
    tracemalloc.start()
    with PackedWriter(tmp_path / "store", metadata(), joints=25) as writer:
        for number in range(300):
            writer.add(recording(number), sequence)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6 < sequence.nbytes * 300 / 8


def test_an_empty_directory_is_filled(tmp_path, write_store):
    (tmp_path / "store").mkdir()
    assert len(SequenceStore.open(write_store([2, 2]))) == 2


def test_an_older_store_is_replaced(tmp_path, write_store):
    write_store([2, 2])
    assert len(SequenceStore.open(write_store([2]))) == 1
    assert entries(tmp_path) == ["store"]


def test_a_foreign_directory_is_not_touched(tmp_path, write_store):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.tex").write_text("do not lose me")
    with pytest.raises(InputError, match="exists and is not a directory that this step made"):
        write_store([2])
    assert entries(tmp_path / "store") == ["thesis.tex"]


def test_a_failure_leaves_nothing(tmp_path, write_store):
    write_store([2, 2])
    with (
        pytest.raises(KeyError),
        PackedWriter(tmp_path / "store", metadata(), joints=4) as writer,
    ):
        writer.add(recording(0), np.zeros((1, 1, 4, 3)))
        raise KeyError
    assert entries(tmp_path) == ["store"]
    assert len(SequenceStore.open(tmp_path / "store")) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    with (
        pytest.raises(InputError) as caught,
        PackedWriter(tmp_path / "store", metadata(), joints=25) as writer,
    ):
        writer._coordinates._file.close()
        writer._coordinates._file = Path("/dev/full").open("wb")  # noqa: SIM115
        for number in range(10):
            writer.add(recording(number), np.zeros((1, 100, 25, 3)))
    assert str(caught.value) == (
        f"{tmp_path}/store: cannot be written (No space left on device). Make room or name "
        "another output, and run the same command again"
    )
    assert entries(tmp_path) == []


def test_a_sequence_of_another_shape_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="r0000"),
        PackedWriter(tmp_path / "store", metadata(), joints=4) as writer,
    ):
        writer.add(recording(0), np.zeros((1, 1, 5, 3)))


def test_another_version_is_refused(write_store):
    path = write_store([2]) / "metadata.json"
    data = json.loads(path.read_text()) | {"format_version": FORMAT_VERSION + 1}
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        SequenceStore.open(path.parent)
    assert str(caught.value) == (
        f"{path}: format_version: a store made by another version; found {FORMAT_VERSION + 1}; "
        f"expected {FORMAT_VERSION}. Prepare the data again with this version"
    )


def test_another_kind_is_refused(tmp_path):
    with PackedWriter(tmp_path / "store", metadata("raw bodies"), joints=4) as writer:
        writer.add(recording(0), np.zeros((1, 1, 4, 3)))
    with pytest.raises(InputError, match="found raw bodies; expected sequence store"):
        SequenceStore.open(tmp_path / "store")


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere/metadata\.json: cannot be read"):
        SequenceStore.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"format_version": 1, "kind": "sequence store"}']
)
def test_spoilt_metadata_is_named(write_store, text):
    path = write_store([2]) / "metadata.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"metadata\.json: is not the description"):
        SequenceStore.open(path.parent)


def test_cut_coordinates_are_noticed(write_store):
    path = write_store([5]) / "coordinates.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"coordinates\.npy: cannot be mapped"):
        SequenceStore.open(path.parent)


def test_a_cut_index_is_noticed(write_store):
    path = write_store([5, 5]) / "index.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="sequences: is damaged; found 1; expected 2"):
        SequenceStore.open(path.parent)


def test_an_index_without_a_column_is_noticed(write_store):
    path = write_store([5]) / "index.csv"
    path.write_text(path.read_text().replace("camera", "kamera"))
    with pytest.raises(InputError, match=r"index.csv: lacks columns; found \['camera'\]"):
        SequenceStore.open(path.parent)


def test_rows_of_a_part(write_store):
    store = SequenceStore.open(write_store([1, 1, 1, 1]))
    assert store.rows("b", "train").tolist() == [0, 1, 3]
    assert store.rows("b", "test").tolist() == [2]
    assert store.rows("b", "test").dtype == np.int64


def test_rows_of_an_unknown_benchmark_or_part(write_store):
    store = SequenceStore.open(write_store([1]))
    with pytest.raises(InputError, match=r"benchmark.*found a store for b; expected ntu60-xsub"):
        store.rows("ntu60-xsub", "test")
    with pytest.raises(InputError, match=r"part.*found validation; expected train or test"):
        store.rows("b", "validation")
