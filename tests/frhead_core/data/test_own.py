"""Recordings of one's own: the table, the arrays, and their way into a sequence store."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frhead_core.config import MODALITIES, Preparation, Split, load_recipe
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    fingerprint,
    transform_sequences,
)
from frhead_core.data.loader import SampleBatches
from frhead_core.data.own import checked_bodies, read_array
from frhead_core.data.packed import RawBodies
from frhead_core.data.parts import assign_parts
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError, QuarantineLimitError
from frhead_core.skeleton_layout import SkeletonLayout
from frhead_core.skeletons import skeleton

STICK = SkeletonLayout(
    name="stick",
    joints=("hip", "chest", "left hand", "right hand"),
    bones=(("chest", "hip"), ("left hand", "chest"), ("right hand", "chest")),
    root="hip",
    center="chest",
    mirrored=(("left hand", "right hand"),),
)
TABLE = """\
name,action,part,performer
walk-1,walk,train,1
nod-1,nod,train,1
walk-2,walk,test,2
nod-2,nod,validation,2
"""
BY_PART = Split(column="part", train=("train", "validation"), test=("test",))
TOLERANT = Preparation(max_quarantined_share=0.5)


def body(frames: int = 4, seed: int = 0, joints: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, joints, 3))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with the four recordings of the table; the second has two bodies."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "index.csv").write_text(TABLE)
    for seed, name in enumerate(("walk-1", "nod-1", "walk-2", "nod-2")):
        array = body(4 + seed, seed)
        np.save(folder / f"{name}.npy", np.stack([array, -array]) if seed == 1 else array)
    return folder


def prepare(
    raw: Path, folder: Path, split: Split = BY_PART, settings: Preparation = TOLERANT
) -> SequenceStore:
    mark = fingerprint("own", raw)
    extract_raw_skeletons("own", raw, folder / "raw", settings, mark, layout=STICK)
    denoise_skeletons("own", folder / "raw", folder / "denoised", settings)
    transform_sequences("own", folder / "denoised", folder / "store", {"mine": split}, settings)
    return SequenceStore.open(folder / "store")


def extract(raw: Path, output: Path, settings: Preparation = TOLERANT) -> RawBodies:
    extract_raw_skeletons("own", raw, output, settings, "mark", layout=STICK)
    return RawBodies.open(output)


# --- into the store ------------------------------------------------------------------------------


def test_from_arrays_to_the_store(raw: Path, tmp_path: Path) -> None:
    store = prepare(raw, tmp_path)

    assert store.layout == skeleton(STICK)
    assert store.metadata.classes == ("nod", "walk")
    names = store.index["name"].tolist()
    assert names == ["nod-1", "nod-2", "walk-1", "walk-2"]
    assert store.index["label"].tolist() == [0, 0, 1, 1]
    assert store.index["action"].tolist() == [1, 1, 2, 2]
    assert store.index["performer"].tolist() == [1, 2, 1, 2]
    assert store.index["part"].tolist() == ["train", "validation", "train", "test"]
    assert [names[row] for row in store.rows("mine", "test")] == ["walk-2"]
    for row, name in enumerate(names):
        given = (
            np.load(raw / f"{name}.npy")
            .astype(np.float32)
            .reshape(-1, len(store.sequence(row)[0]), 4, 3)
        )
        np.testing.assert_array_equal(store.sequence(row), given - given[0, 0, 1])
    report = StepReport.read(tmp_path / "store").markdown()
    assert "Every sequence starts with the chest at the origin." in report
    assert "nothing is filtered" in StepReport.read(tmp_path / "denoised").markdown()


def test_absent_bodies_stay_zero(raw: Path, tmp_path: Path) -> None:
    first, second = body(5, 1), body(5, 2)
    first[:2], second[3:] = 0, 0
    np.save(raw / "nod-1.npy", np.stack([first, second]))
    store = prepare(raw, tmp_path)
    origin = first.astype(np.float32)[2, 1]
    there = np.array([[0, 0, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=bool)
    expected = np.stack([first, second]).astype(np.float32) - origin
    np.testing.assert_array_equal(store.sequence(0), expected * there[..., None, None])


@pytest.mark.parametrize("kind", ["zip", "zip with a folder", "npz beside the table"])
def test_archives_hold_the_same(raw: Path, tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "all.zip"
    folder = "set/" if kind == "zip with a folder" else ""
    place = archive
    with zipfile.ZipFile(archive, "w") as file:
        for path in raw.iterdir():
            if path.suffix == ".npy" or "npz" not in kind:
                file.write(path, folder + path.name)
    if "npz" in kind:
        table = tmp_path / "table"
        table.mkdir()
        (raw / "index.csv").rename(table / "index.csv")
        place = Path(f"{archive.rename(tmp_path / 'all.npz')},{table}")
        (raw / "index.csv").write_text(TABLE)
    one, other = extract(place, tmp_path / "a"), extract(raw, tmp_path / "b")
    np.testing.assert_array_equal(one.coordinates, other.coordinates)
    assert one.index.equals(other.index)


def test_the_fingerprint_sees_arrays_table_and_classes(raw: Path) -> None:
    marks = {fingerprint("own", raw)}
    np.save(raw / "nod-1.npy", body(9))
    marks.add(fingerprint("own", raw))
    (raw / "index.csv").write_text(TABLE.replace("walk-2,walk", "walk-2,nod"))
    marks.add(fingerprint("own", raw))
    (raw / "classes.txt").write_text("walk\nnod\n")
    marks.add(fingerprint("own", raw))
    (raw / "notes.md").write_text("nothing to do with it")
    assert len(marks | {fingerprint("own", raw)}) == 4


def test_the_layout_belongs_to_the_dataset(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nw-ucla has another joint layout; found stick; expected"):
        extract_raw_skeletons("nw-ucla", raw, tmp_path / "o", TOLERANT, "mark", layout=STICK)
    with pytest.raises(InputError, match="skeleton: unknown joint layout"):
        extract_raw_skeletons("own", raw, tmp_path / "o", TOLERANT, "mark")
    np.save(raw / "nod-1.npy", body(joints=20))
    tolerant = Preparation(max_quarantined_share=0.9)
    extract_raw_skeletons("own", raw, tmp_path / "o", tolerant, "mark", layout="nw-ucla")
    assert RawBodies.open(tmp_path / "o").index["name"].tolist() == ["nod-1"]


# --- splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "tested"),
    [
        (BY_PART, {"walk-2"}),
        (Split(column="performer", train=(1,), test=(2,)), {"walk-2", "nod-2"}),
        (Split(column="label", train=(0,), test=(1,)), {"walk-1", "walk-2"}),
        (
            Split(column="name", train=("walk-1", "nod-2", "nod-1"), test=("walk-2",)),
            {"walk-2"},
        ),
    ],
)
def test_splits_go_by_any_column(raw: Path, tmp_path: Path, split: Split, tested: set[str]) -> None:
    index = extract(raw, tmp_path / "raw").index
    parts = dict(zip(index["name"], assign_parts(index, split), strict=True))
    assert {name for name, part in parts.items() if part == "test"} == tested
    assert {name for name, part in parts.items() if part == "train"} == set(parts) - tested


def test_a_column_that_is_not_there_and_a_stranger(raw: Path, tmp_path: Path) -> None:
    (raw / "index.csv").write_text(TABLE.replace("part", "fold"))
    index = extract(raw, tmp_path / "raw").index
    with pytest.raises(InputError, match=r"part: the recordings have no such column; .* performer"):
        assign_parts(index, BY_PART)
    strange = Split(column="name", train=("walk-1", "nod-1"), test=("walk-2",))
    with pytest.raises(InputError, match="nod-2: the recording is in no part of the split"):
        assign_parts(index, strange)


def test_a_part_may_look_like_a_number(raw: Path, tmp_path: Path) -> None:
    (raw / "index.csv").write_text(TABLE.replace("train", "1").replace("test", "2"))
    split = Split(column="part", train=("1", "validation"), test=("2",))
    assert [int(row) for row in prepare(raw, tmp_path, split).rows("mine", "test")] == [3]


# --- what is set aside ---------------------------------------------------------------------------


def npy(array: np.ndarray, **options: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array, **options)
    return content.getvalue()


NAN = body()
NAN[2, 3, 1] = np.nan


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no such file in the raw data"),
        (npy(NAN), "body 0, frame 2, right hand, y: nan is not a finite number"),
        (npy(np.full((2, 4, 3), 1e300)), "body 0, frame 0, hip, x: 1e+300 is not a finite number"),
        (npy(body(joints=5)), "5 joints, expected 4 as in stick"),
        (npy(body(0)), "empty: no frames"),
        (npy(np.zeros((0, 5, 4, 3))), "empty: no bodies"),
        (npy(np.zeros((5, 4, 3))), "empty: every coordinate of the first body is zero"),
        (npy(body()[..., :2]), "the shape is (4, 4, 2), expected (frames, 4, 3) or (bodies, "),
        (npy(body()[0]), "the shape is (4, 3), expected (frames, 4, 3)"),
        (npy(body())[:-8], "holds 376 bytes, expected 384 for float64 (4, 4, 3)"),
        (npy(body().astype(str)), "expected numbers"),
        (npy(body().astype(complex)), "holds complex128, expected numbers"),
        (npy(np.array([{}]), allow_pickle=True), "holds object, expected numbers"),
        (pickle.dumps([1]), "not an .npy file (the magic string is not correct"),
        (b"", "not an .npy file (EOF: reading magic string"),
        (npy(body()).replace(b"}", b" "), "not an .npy file ("),
    ],
)
def test_a_bad_recording_is_set_aside_with_the_reason(
    raw: Path, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = raw / "nod-1.npy"
    path.unlink() if content is None else path.write_bytes(content)
    bodies = extract(raw, tmp_path / "out")
    (bad,) = bodies.quarantined()
    assert (bad.name, bad.file) == ("nod-1", "nod-1.npy")
    assert bad.reason.startswith(reason) or reason in bad.reason
    assert bodies.index["name"].tolist() == ["nod-2", "walk-1", "walk-2"]
    assert bodies.index["part"].tolist() == ["validation", "train", "test"]
    with pytest.raises(QuarantineLimitError, match=r"1 of 4 recordings are unusable.*nod-1"):
        extract(raw, tmp_path / "other", Preparation())


def test_a_header_cannot_claim_memory() -> None:
    content = npy(body())
    huge = content.replace(b"(4, 4, 3), }" + b" " * 12, b"(9999999999, 4, 3), }   ")
    assert huge != content
    with pytest.raises(ValueError, match="holds 384 bytes, expected 9"):
        read_array(huge)


def test_integers_and_other_orders_are_read() -> None:
    array = np.arange(24).reshape(2, 4, 3)
    layout = skeleton(STICK)
    expected = array[np.newaxis].astype(np.float32)
    for given in (array, np.asfortranarray(array), array.astype(">f8"), array.astype(np.float16)):
        found = checked_bodies(read_array(npy(given)), layout)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32


# --- the table -----------------------------------------------------------------------------------


def test_labels_files_and_classes_by_number(raw: Path, tmp_path: Path) -> None:
    (raw / "sub").mkdir()
    (raw / "nod-1.npy").rename(raw / "sub/first.npy")
    (raw / "index.csv").write_text("name,file,label\na,sub/first.npy,2\nb,walk-1.npy,0\n")
    bodies = extract(raw, tmp_path / "one")
    assert bodies.metadata.classes == ("class 0", "class 1", "class 2")
    assert bodies.index["label"].tolist() == [2, 0]
    assert bodies.index["performer"].tolist() == [0, 0]
    assert "part" not in bodies.index
    (raw / "classes.txt").write_text("stand\nwalk\nnod\nrun\n")
    bodies = extract(raw, tmp_path / "two")
    assert bodies.metadata.classes == ("stand", "walk", "nod", "run")
    report = StepReport.read(tmp_path / "two")
    assert report.numbers["arrays that the table does not list"] == 2


def test_a_spreadsheets_habits_are_no_harm(raw: Path, tmp_path: Path) -> None:
    text = "\ufeff" + TABLE.replace("\n", "\r\n").replace("performer", "age") + "\r\n,,,\r\n"
    (raw / "index.csv").write_text(text.replace(",train", ", train "), newline="")
    bodies = extract(raw, tmp_path / "out")
    assert bodies.index["part"].tolist() == ["train", "validation", "train", "test"]
    assert StepReport.read(tmp_path / "out").numbers["columns passed over (age)"] == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "has no table of the recordings; expected one index.csv"),
        ("", r"index\.csv:1: the columns are not .*; found an empty file; expected name, either"),
        ("name,part\n", "found name, part; expected name, either action or label"),
        ("name,action,label\n", "expected name, either action or label"),
        ("name,action,name\n", r":1: name: the column is there twice"),
        ("name,action\n", "lists no recording"),
        ("name,action\na\n", ":2: wrong number of cells; found 1; expected 2"),
        ("name,action\na,b\na,b\n", ":3: name: is there twice, first in line 2; found a"),
        ("name,action\n,b\n", ":2: name: is no name of a recording; found ''"),
        ('name,action\n"a\nb",c\n', "name: is no name of a recording"),
        ("name,action\na,\n", ":2: action: is none of the classes; found ''"),
        ("name,label\na,1\nb,x\n", ":3: label: is not a whole number from 0; found 'x'"),
        ("name,label\na,-1\n", ":2: label: is not a whole number from 0; found '-1'"),
        ("name,label\na,\n", ":2: label: is not a whole number from 0; found ''"),
        ("name,label,camera\na,1,left\n", ":2: camera: is not a whole number from 0; found 'left'"),
        ('name,action\n"a,b\n', "is not CSV"),
        (b"name,action\n\xff,b\n", "is not UTF-8 text at byte 12"),
    ],
)
def test_a_table_that_cannot_be_understood(
    raw: Path, tmp_path: Path, table: str | bytes | None, message: str
) -> None:
    path = raw / "index.csv"
    path.unlink()
    if table is not None:
        path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(InputError, match=message):
        extract(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            "nod\n",
            r"index\.csv:2: action: is none of the classes; found 'walk'; expected one of nod",
        ),
        ("nod\nnod\n", r"classes\.txt:2: the name of a class is there twice; found nod"),
        ("nod\n\nwalk\n", r"classes\.txt:2: the name of a class is empty"),
    ],
)
def test_classes_that_do_not_fit(raw: Path, tmp_path: Path, classes: str, message: str) -> None:
    (raw / "classes.txt").write_text(classes)
    with pytest.raises(InputError, match=message):
        extract(raw, tmp_path / "out")


def test_two_tables_are_one_too_many(raw: Path, tmp_path: Path) -> None:
    (raw / "sub").mkdir()
    (raw / "sub/index.csv").write_text(TABLE)
    with pytest.raises(InputError, match=r"several tables.*found index\.csv, sub/index\.csv"):
        extract(raw, tmp_path / "out")


# --- into batches --------------------------------------------------------------------------------


def batches(
    store: SequenceStore, rows: Sequence[int], transform: str, modality: Any = "joint"
) -> SampleBatches:
    loader = load_recipe("demo" if transform == "ntu" else "demo-nw-ucla").loader
    return SampleBatches(
        store, np.array(rows), loader=loader, skeleton=skeleton(STICK), modality=modality,
        batch_size=2, training=True,
    )  # fmt: skip


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("transform", ["ntu", "nw-ucla"])
def test_both_transforms_take_any_layout(
    raw: Path, tmp_path: Path, transform: str, modality: str
) -> None:
    store = prepare(raw, tmp_path)
    one_body = [1, 2, 3]
    for batch in batches(store, one_body, transform, modality).epoch():
        x = batch.coordinates.numpy()
        assert x.shape[:2] == (2, 3) and x.shape[3] == 4
        assert np.isfinite(x).all() and x.any()
        if modality == "bone":
            assert not x[:, :, :, 0].any()  # of the root


def test_several_bodies_are_refused_where_one_is_taken(raw: Path, tmp_path: Path) -> None:
    store = prepare(raw, tmp_path)
    assert next(batches(store, [0, 1], "ntu").epoch()).coordinates.shape[-1] == 2
    with pytest.raises(InputError, match=r"nod-1: .* one body; found 2 bodies; expected .* ntu"):
        batches(store, [1, 0], "nw-ucla")


def test_a_store_of_another_layout_of_that_name_is_refused(raw: Path, tmp_path: Path) -> None:
    store = prepare(raw, tmp_path)
    other = SkeletonLayout(
        name="stick", joints=STICK.joints, root="hip", center="hip",
        bones=(("chest", "hip"), ("left hand", "chest"), ("right hand", "hip")),
    )  # fmt: skip
    with pytest.raises(
        InputError, match="another joint layout; found stick; expected the recipe's"
    ):
        SampleBatches(
            store, np.array([1, 2]), loader=load_recipe("demo-nw-ucla").loader,
            skeleton=skeleton(other), modality="joint", batch_size=2, training=False,
        )  # fmt: skip
