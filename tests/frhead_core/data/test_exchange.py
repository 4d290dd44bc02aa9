"""What is exported for other programs, and what is taken in from them."""

from __future__ import annotations

import os
import pickle
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from frhead_core.config import Preparation, Split, load_recipe
from frhead_core.data import ntu_names
from frhead_core.data.export_npz import export_reference_npz
from frhead_core.data.import_prepared import import_prepared
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.parts import assign_parts, part_columns
from frhead_core.data.recordings import Recording
from frhead_core.data.registry import find_dataset
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError, QuarantineLimitError

SPLITS = {
    "ntu60-xsub": Split(column="performer", train=(1, 2), test=(3,), setups=(1, 17)),
    "ntu120-xset": Split(column="setup", train=(2, 18), test=(1,)),
    "ntu120-oneshot": load_recipe("ntu120-oneshot").split,
}
NAMES = sorted(
    [
        *("S001C001P001R001A001", "S001C001P002R001A010", "S001C003P008R001A001"),
        *("S002C001P001R001A050", "S002C002P003R001A002", "S002C001P001R002A050"),
        *("S018C003P008R001A061", "S018C001P003R001A120", "S018C001P003R002A062"),
    ]
)


def sequences(names: list[str] = NAMES) -> list[tuple[Recording, np.ndarray]]:
    generator = np.random.default_rng(2)
    made = []
    for number, name in enumerate(names):
        shape = (1 + number % 2, 3 + number, 25, 3)
        made.append((ntu_names.recording(name), generator.normal(size=shape).astype(np.float32)))
    return made


def write_store(output: Path, entries: list[tuple[Recording, np.ndarray]] | None = None) -> Path:
    facts = find_dataset("ntu120")
    metadata = StoreMetadata("sequence store", "ntu120", "ntu", "float32", "mark", facts.classes)
    with PackedWriter(output, metadata, joints=25) as writer:
        for recording, sequence in entries or sequences():
            writer.add(recording, sequence)
        names = [recording.name for recording, _ in entries or sequences()]
        everything = part_columns_of(names)
        for name, values in everything.items():
            writer.add_column(f"part:{name}", values)
    return output


def part_columns_of(names: list[str]) -> dict[str, list[str]]:
    index = pd.DataFrame([vars(ntu_names.recording(name)) for name in names])
    index["performer"] = index["performer"].replace(8, 3)
    parts, _ = part_columns(index, SPLITS, Preparation(official_list=False))
    return parts


# --- parts ---------------------------------------------------------------------------------------


def test_recordings_outside_a_benchmarks_setups_are_in_no_part(tmp_path: Path) -> None:
    store = SequenceStore.open(write_store(tmp_path / "store"))
    parts = dict(zip(store.index["name"], store.index["part:ntu60-xsub"], strict=True))
    assert {part for name, part in parts.items() if name.startswith("S018")} == {""}
    assert parts["S002C002P003R001A002"] == "test"
    assert "" not in {part for name, part in parts.items() if not name.startswith("S018")}


def test_a_stranger_within_the_setups_is_an_error(tmp_path: Path) -> None:
    index = SequenceStore.open(write_store(tmp_path / "store")).index
    with pytest.raises(InputError, match=r"S001C003P008R001A001: .* found performer 8"):
        assign_parts(index, SPLITS["ntu60-xsub"])


def test_the_one_shot_parts(tmp_path: Path) -> None:
    store = SequenceStore.open(write_store(tmp_path / "store"))
    parts = dict(zip(store.index["name"], store.index["part:ntu120-oneshot"], strict=True))
    assert parts["S001C003P008R001A001"] == parts["S018C003P008R001A061"] == "anchor"
    assert parts["S001C001P001R001A001"] == "test"  # another recording of a novel class
    assert parts["S001C001P002R001A010"] == "train"
    assert store.rows("ntu120-oneshot", "anchor").size == 2


def test_classes_and_anchors_are_those_of_the_protocol() -> None:
    split = load_recipe("ntu120-oneshot").split
    actions = range(1, 116, 6)
    assert [label + 1 for label in split.test] == list(actions)
    assert sorted(split.train + split.test) == list(range(120))
    assert split.anchors == tuple(
        f"S{1 if action <= 55 else 18:03}C003P008R001A{action:03}" for action in actions
    )


def test_held_out_classes_are_known_by_recordings_like_the_anchors() -> None:
    recipe = load_recipe("ntu120-oneshot")
    held_out, listed = recipe.validation, ntu_names.NTU120.missing
    assert set(held_out.values) < set(recipe.split.train)
    for name, label in zip(held_out.anchors, held_out.values, strict=True):
        assert ntu_names.recording(name).label == label
        assert re.fullmatch(r"S(001|018)C003P008R001A\d{3}", name)
    assert not listed & {*held_out.anchors, *recipe.split.anchors}


def test_missing_anchors_are_an_error_unless_any_list_will_do(tmp_path: Path) -> None:
    index = SequenceStore.open(write_store(tmp_path / "store")).index
    splits = {"ntu120-oneshot": SPLITS["ntu120-oneshot"]}
    with pytest.raises(
        InputError, match="anchors of the one-shot protocol are missing; found no S0"
    ):
        part_columns(index, splits, Preparation())
    _, notes = part_columns(index, splits, Preparation(official_list=False))
    assert notes[0].startswith("One-shot anchors missing: 18 of 20 (S001C003P008R001A007, ")


# --- export --------------------------------------------------------------------------------------


def test_the_file_is_as_numpy_would_write_it(tmp_path: Path) -> None:
    counts = export_reference_npz(write_store(tmp_path / "s"), "ntu120-xset", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        assert file.files == ["x_train", "y_train", "x_test", "y_test"]
        assert file["x_train"].dtype == np.float32 and file["y_train"].dtype == np.float64
        assert counts == {"train": len(file["x_train"]), "test": len(file["x_test"])}
        assert file["x_test"].shape[1:] == (max(3 + n for n in range(9)), 150)
        assert file["y_test"].shape[1] == 120
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "x.npz"]


def test_rows_go_by_the_value_of_the_split_then_by_name(tmp_path: Path) -> None:
    export_reference_npz(write_store(tmp_path / "s"), "ntu60-xsub", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        # performer 1: A001, A050, A050; performer 2: A010
        assert file["y_train"].argmax(axis=1).tolist() == [0, 49, 49, 9]


@pytest.mark.parametrize(
    ("benchmark", "beside"), [("ntu60-xsub", "zeros"), ("ntu120-xset", "itself")]
)
def test_what_stands_beside_a_lone_body(tmp_path: Path, benchmark: str, beside: str) -> None:
    entries = sequences()
    export_reference_npz(write_store(tmp_path / "s", entries), benchmark, tmp_path / "x.npz")
    lone = entries[0][1]
    assert entries[0][0].name == "S001C001P001R001A001" and len(lone) == 1
    part = "train" if benchmark == "ntu60-xsub" else "test"
    with np.load(tmp_path / "x.npz") as file:
        row = file[f"x_{part}"][0, : lone.shape[1]].reshape(-1, 2, 25, 3)
        assert not file[f"x_{part}"][0, lone.shape[1] :].any()
    np.testing.assert_array_equal(row[:, 0], lone[0])
    np.testing.assert_array_equal(row[:, 1], lone[0] if beside == "itself" else 0 * lone[0])


def test_the_one_shot_file_holds_the_names(tmp_path: Path) -> None:
    export_reference_npz(write_store(tmp_path / "s"), "ntu120-oneshot", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        assert file.files[:3] == ["x_aux", "y_aux", "name_aux"]
        assert file["name_anchor"].tolist() == [b"S001C003P008R001A001", b"S018C003P008R001A061"]
        assert np.all(np.diff(file["y_aux"].argmax(axis=1)) >= 0)


def test_a_benchmark_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no prepared files of this kind"):
        export_reference_npz(write_store(tmp_path / "s"), "nw-ucla", tmp_path / "x.npz")
    with pytest.raises(InputError, match="was not prepared for this benchmark"):
        export_reference_npz(write_store(tmp_path / "s"), "ntu120-xsub", tmp_path / "x.npz")


def test_neither_way_holds_the_whole_array_in_memory(tmp_path: Path) -> None:
    recording = ntu_names.recording
    entries = [
        (recording(f"S001C001P{1 + n % 3:03d}R{1 + n // 60:03d}A{1 + n % 60:03d}"), one)
        for n in range(600)
        for one in [np.full((2, 90, 25, 3), n + 1, dtype=np.float32)]
    ]
    store = write_store(tmp_path / "s", sorted(entries, key=lambda entry: entry[0].name))
    del entries
    tracemalloc.start()
    export_reference_npz(store, "ntu60-xsub", tmp_path / "x.npz")
    import_prepared(tmp_path / "x.npz", "ntu60-xsub", tmp_path / "again")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "x.npz").stat().st_size > 32e6
    assert peak < 4e6


# --- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("benchmark", ["ntu60-xsub", "ntu120-xset", "ntu120-oneshot"])
def test_export_and_import_bring_back_the_sequences(tmp_path: Path, benchmark: str) -> None:
    before = SequenceStore.open(write_store(tmp_path / "before"))
    export_reference_npz(tmp_path / "before", benchmark, tmp_path / "one.npz")
    import_prepared(tmp_path / "one.npz", benchmark, tmp_path / "after")
    after = SequenceStore.open(tmp_path / "after")
    for part in ("train", "test"):
        old = [before.sequence(row) for row in before.rows(benchmark, part)]
        new = [after.sequence(row) for row in after.rows(benchmark, part)]
        assert sorted(one.tobytes() for one in old) == sorted(one.tobytes() for one in new)
    export_reference_npz(tmp_path / "after", benchmark, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_what_an_import_knows_of_the_recordings(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s")
    export_reference_npz(store, "ntu60-xsub", tmp_path / "x.npz")
    report = import_prepared(tmp_path / "x.npz", "ntu60-xsub", tmp_path / "plain")
    plain = SequenceStore.open(tmp_path / "plain")
    assert plain.index["name"].tolist() == sorted(plain.index["name"])
    assert plain.recording(0) == Recording("test_000000", 0, 0, 0, 0, 1, 0)
    assert "cannot be held out" in report.markdown()
    export_reference_npz(store, "ntu120-oneshot", tmp_path / "o.npz")
    import_prepared(tmp_path / "o.npz", "ntu120-oneshot", tmp_path / "named")
    assert set(SequenceStore.open(tmp_path / "named").index["name"]) == set(NAMES)


# --- spoilt .npz files ---------------------------------------------------------------------------


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(3, 5, 150)).astype(np.float32)
    y = np.eye(60)[[0, 5, 59]]
    return {"x_train": x, "y_train": y, "x_test": x[:2].copy(), "y_test": y[:2]}


def test_compressed_files_and_double_precision_are_read(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    arrays["x_train"] = arrays["x_train"].astype(np.float64)
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    import_prepared(tmp_path / "x.npz", "ntu60-xsub", tmp_path / "s")
    store = SequenceStore.open(tmp_path / "s")
    row = store.rows("ntu60-xsub", "train")[1]
    expected = arrays["x_train"][1].reshape(5, 2, 25, 3).swapaxes(0, 1)
    np.testing.assert_array_equal(store.sequence(row), expected)
    assert store.index["label"][row] == 5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("y_test", None, "y_test: is missing; found x_test, x_train, y_train"),
        ("x_test", np.zeros((2, 5, 149), np.float32), "x_test: is not as in the files"),
        ("x_test", np.zeros((2, 150), np.float32), "x_test: is not as in the files"),
        ("x_test", np.zeros((2, 5, 150), np.int64), "x_test: is not as in the files"),
        ("y_test", np.eye(60)[:1], "y_test: is not as in the files"),
        ("y_test", np.zeros((2, 60)), r"y_test\[0\]: is not a one-hot label; found non-zero at"),
        ("y_test", np.ones((2, 60)), r"y_test\[0\]: is not a one-hot label"),
        ("y_test", np.eye(120)[[0, 70]], r"y_test\[1\]: .* found non-zero at \[70\]"),
        ("y_test", np.full((2, 60), np.nan), r"y_test\[0\]: is not a one-hot label"),
        ("x_test", np.array([{}, {}], dtype=object), "x_test: is not stored row by row"),
        ("x_test", np.asfortranarray(np.ones((2, 5, 150))), "x_test: is not stored row by row"),
        ("x_test", np.float32(3), "x_test: is not stored row by row"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], name: str, value: Any, message: str
) -> None:
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=message):
        import_prepared(tmp_path / "x.npz", "ntu60-xsub", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_unusable_rows_are_quarantined(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    arrays["x_train"][0] = 0
    arrays["x_train"][2, 1, 7] = np.nan
    np.savez(tmp_path / "x.npz", **arrays)
    report = import_prepared(tmp_path / "x.npz", "ntu60-xsub", tmp_path / "s")
    assert [(bad.name, bad.reason) for bad in report.quarantined] == [
        ("train_000000", "every frame is zero"),
        ("train_000002", "a coordinate is not finite"),
    ]
    assert SequenceStore.open(tmp_path / "s").rows("ntu60-xsub", "train").tolist() == [2]


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def spoil(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes(64) + content[middle + 64 :]


@pytest.mark.parametrize("damage", [cut, spoil])
def test_a_damaged_file_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], damage: Callable[[bytes], bytes]
) -> None:
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    path = tmp_path / "x.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"x\.npz: .*damaged"):
        import_prepared(path, "ntu60-xsub", tmp_path / "s")


def test_a_header_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 300, 150), }"
    content = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x_train.npy", content)
    with pytest.raises(InputError, match="x_train: does not hold what it declares"):
        import_prepared(tmp_path / "x.npz", "ntu60-xsub", tmp_path / "s")


# --- PYSKL's annotations -------------------------------------------------------------------------


def annotations(count: int = 12, dtype: Any = np.float16) -> dict[str, Any]:
    generator = np.random.default_rng(1)
    names = [f"S001C{1 + n % 3:03d}P{1 + n:03d}R001A{1 + n:03d}" for n in range(count)]
    entries = [
        {
            "frame_dir": name,
            "label": np.int64(n) if n % 2 else n,
            "total_frames": 4 + n,
            "keypoint": generator.normal(size=(1 + n % 2, 4 + n, 25, 3)).astype(dtype),
        }
        for n, name in enumerate(names)
    ]
    split = {
        "xsub_train": names[: count // 2],
        "xsub_val": names[count // 2 :],
        "xview_train": names[::2],
        "xview_val": names[1::2],
    }
    return {"split": split, "annotations": entries}


def written(path: Path, value: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f8"])
def test_annotations_are_read(tmp_path: Path, protocol: int, dtype: Any) -> None:
    given = annotations(dtype=dtype)
    given["annotations"][3]["keypoint"] = np.asfortranarray(given["annotations"][3]["keypoint"])
    given["annotations"].reverse()
    path = written(tmp_path / "a.pkl", given, protocol)
    import_prepared(path, "ntu60-xview", tmp_path / "s")
    store = SequenceStore.open(tmp_path / "s")
    assert store.benchmarks == ("ntu60-xsub", "ntu60-xview")
    assert store.index["name"].tolist() == sorted(store.index["name"])
    entries = {entry["frame_dir"]: entry for entry in given["annotations"]}
    for row in range(len(store)):
        recording, sequence = store.recording(row), store.sequence(row)
        points = entries[recording.name]["keypoint"].astype(np.float32)
        np.testing.assert_array_equal(sequence, points - points[0, 0, 1])
        part = store.index.set_index("name")["part:ntu60-xsub"][recording.name]
        assert (part == "train") == (recording.name in given["split"]["xsub_train"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"keypoint": np.ones((1, 4, 17, 2), np.float16)}, r"keypoint is float16 \(1, 4, 17, 2\)"),
        ({"keypoint": np.ones((3, 4, 25, 3), np.float16)}, r"keypoint is float16 \(3, 4, 25, 3\)"),
        ({"keypoint": np.ones((1, 0, 25, 3), np.float32)[:, :0]}, "asks for|keypoint is float32"),
        ({"keypoint": np.ones(4, np.float16)}, r"keypoint is float16 \(4,\)"),
        ({"keypoint": np.ones((1, 4, 25, 3), np.int64)}, "keypoint is int64"),
        ({"keypoint": [1, 2]}, "keypoint is a list"),
        ({"keypoint": np.full((1, 4, 25, 3), np.inf, np.float16)}, "not finite"),
        ({"keypoint": np.zeros((1, 4, 25, 3), np.float16)}, "no joint was tracked"),
        ({"total_frames": 9}, "total_frames is 9, but keypoint has 4 frames"),
        ({"label": 7}, "the label is 7, expected 0 for this name"),
        ({"label": "drink"}, "the label is a str"),
        ({"frame_dir": "clip7"}, "strange name"),
    ],
)
def test_a_strange_annotation_is_quarantined(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    given = annotations(60)
    given["annotations"][0] |= change
    path = written(tmp_path / "a.pkl", given, 4)
    report = import_prepared(path, "ntu60-xsub", tmp_path / "s")
    assert len(report.quarantined) == 1
    assert re.search(reason, report.quarantined[0].reason)
    assert report.numbers["sequences"] == 59


def test_annotations_of_the_larger_dataset_are_too_many_strangers(tmp_path: Path) -> None:
    given = annotations()
    for number, entry in enumerate(given["annotations"]):
        entry |= {"frame_dir": f"S018C001P001R001A{100 + number:03d}", "label": 99 + number}
    with pytest.raises(QuarantineLimitError, match="the label is 99, expected one of 60 classes"):
        import_prepared(written(tmp_path / "a.pkl", given), "ntu60-xsub", tmp_path / "s")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "is not an annotation file; found a pickled list"),
        ({"split": {}, "annotations": []}, "has no part of a benchmark; found nothing"),
        ({"split": {"train": ["a"]}, "annotations": []}, "no part of a benchmark; found train"),
        ({"split": {"xsub_train": "a"}, "annotations": []}, "split.xsub_train: is not a list"),
        ({"split": {"xsub_train": ["a"], "xsub_val": ["a"]}, "annotations": []}, "in both parts"),
        ({"split": {}, "annotations": [{"label": 1}]}, r"annotations\[0\].frame_dir: has no name"),
        ({"split": {}, "annotations": [{"frame_dir": "a"}] * 2}, r"annotations\[1\].frame_dir"),
        ({"split": {"xsub_train": ["a"]}, "annotations": []}, "none of the 0 recordings"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_prepared(written(tmp_path / "a.pkl", value), "ntu60-xsub", tmp_path / "s")
    assert not (tmp_path / "s").exists()


class Calls:
    """Pickles into a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_crafted_file_runs_nothing(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    given = annotations()
    given["annotations"][5]["keypoint"] = Calls(os.system, f"touch {witness}")
    path = written(tmp_path / "a.pkl", given, protocol)
    with pytest.raises(InputError, match=r"asks for posix\.system, which no annotation file needs"):
        import_prepared(path, "ntu60-xsub", tmp_path / "s")
    assert not witness.exists() and not (tmp_path / "s").exists()


def test_bytes_are_encoded_in_one_way_only(tmp_path: Path) -> None:
    for body in (
        b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R",
        b"c_codecs\nencode\nK\x01X\x06\x00\x00\x00latin1\x86R",
        b"c_codecs\nencode\n)R",
        b"c_codecs\nopen\nX\x01\x00\x00\x00a\x85R",
    ):
        (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + body + b".")
        with pytest.raises(InputError, match="pickle is refused"):
            import_prepared(tmp_path / "a.pkl", "ntu60-xsub", tmp_path / "s")


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_large_literal_cannot_be_multiplied(tmp_path: Path, protocol: int) -> None:
    long = "x" * 100_000
    given = {"split": {"xsub_train": [long] * 1000}, "annotations": []}
    with pytest.raises(InputError, match="a text or bytes that is too long; found 100000"):
        import_prepared(written(tmp_path / "a.pkl", given, protocol), "ntu60-xsub", tmp_path / "s")


@pytest.mark.parametrize("kept", [0, 1, 2, 100, 5000])
def test_a_cut_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path / "a.pkl", annotations())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="cut off or damaged"):
        import_prepared(path, "ntu60-xsub", tmp_path / "s")


@pytest.mark.parametrize("protocol", [2, 5])
def test_annotations_stay_in_the_file_until_their_turn(tmp_path: Path, protocol: int) -> None:
    given = annotations(50)
    for entry in given["annotations"]:
        entry |= {"keypoint": np.ones((1, 4000, 25, 3), np.float16), "total_frames": 4000}
    path = written(tmp_path / "a.pkl", given, protocol)
    del given
    tracemalloc.start()
    import_prepared(path, "ntu60-xsub", tmp_path / "s")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 30e6
    assert peak < 8e6


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.pkl: cannot be read"):
        import_prepared(tmp_path / "nowhere.pkl", "ntu60-xsub", tmp_path / "s")
    path = written(tmp_path / "a.pkl", annotations())
    for benchmark in ("nw-ucla", "ntu120-oneshot"):
        with pytest.raises(InputError, match="no annotation files of this kind"):
            import_prepared(path, benchmark, tmp_path / "s")
