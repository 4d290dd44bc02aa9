from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frhead_core.errors import InputError
from frhead_core.evaluation.scores import Scores, read_scores


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path: Path, contents: dict[str, bytes], compression: int = 0) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def test_what_is_saved_is_read_again(make_scores, tmp_path):
    scores = make_scores(which="last", epoch=3, classes_known=True)
    scores.save(tmp_path / "deep" / "scores.npz")
    again = Scores.load(tmp_path / "deep" / "scores.npz")
    assert again.names == scores.names
    assert again.parts == scores.parts
    assert dict(again.metadata) == dict(scores.metadata)
    for name in ("logits", "labels", "seen_in_training"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scores, name))
        assert getattr(again, name).dtype == getattr(scores, name).dtype


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12),
        min_size=1,
        max_size=6,
        unique=True,
    ),
    data=st.data(),
)
def test_any_names_and_finite_logits_survive(names, data, tmp_path_factory):
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    logits = data.draw(hnp.arrays(np.float32, (len(names), 3), elements=finite))
    scores = Scores(
        names=tuple(names),
        logits=logits,
        labels=np.zeros(len(names), dtype=np.int64),
        parts=("validation",) * len(names),
        seen_in_training=np.zeros(len(names), dtype=bool),
    )
    path = tmp_path_factory.mktemp("scores") / "scores.npz"
    scores.save(path)
    again = Scores.load(path)
    assert again.names == tuple(names)
    assert again.logits.tobytes() == logits.tobytes()


def test_equal_scores_give_equal_bytes(make_scores, tmp_path):
    for name in ("a.npz", "b.npz"):
        make_scores(which="last").save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_numpy_reads_the_file_without_pickle(make_scores, tmp_path):
    scores = make_scores()
    scores.save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["logits"], scores.logits)
        assert json.loads(arrays["metadata"].item())["format_version"] == 1


def test_a_failed_write_leaves_the_older_file(make_scores, tmp_path):
    path = tmp_path / "scores.npz"
    path.mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        make_scores().save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("twice",) * 40}, "twice: sample occurs more than once"),
        ({"names": ("",) + tuple("abc") * 13}, "has no name"),
        ({"names": tuple("abc")}, "wrong array"),
        ({"parts": ("test",) * 39}, "parts: wrong number of rows"),
        ({"parts": ("elsewhere",) * 40}, "unknown part; found elsewhere"),
        ({"labels": np.full(40, 10)}, "label is not a class; found 10; expected 0 to 9"),
        ({"labels": np.full(40, -1)}, "label is not a class; found -1"),
        ({"labels": np.zeros(40, dtype=np.float32)}, "labels: wrong array"),
        ({"logits": np.zeros((40, 10))}, "logits: wrong array; found float64"),
        ({"logits": np.zeros(40, dtype=np.float32)}, "logits: wrong array"),
        ({"logits": np.zeros((40, 0), dtype=np.float32)}, "no scores"),
        ({"logits": np.full((40, 10), np.nan, dtype=np.float32)}, "sample_000: logits are not"),
        ({"logits": np.full((40, 10), np.inf, dtype=np.float32)}, "40 such samples"),
        ({"seen_in_training": np.zeros(40)}, "seen_in_training: wrong array"),
        ({"metadata": {"classes": ["one"]}}, "wrong number of class names; found 1; expected 10"),
    ],
)
def test_inconsistent_scores_are_refused(make_scores, change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(make_scores(), **change)


def test_no_samples_are_refused():
    with pytest.raises(InputError, match="no scores"):
        Scores(
            names=(),
            logits=np.zeros((0, 3), dtype=np.float32),
            labels=np.zeros(0, dtype=np.int64),
            parts=(),
            seen_in_training=np.zeros(0, dtype=bool),
        )


def test_class_names_fall_back_to_numbers(make_scores):
    assert make_scores().class_names == tuple(str(number) for number in range(10))
    named = make_scores(classes=2, count=4)
    named = dataclasses.replace(named, metadata={"classes": ["stand", "sit"]})
    assert named.class_names == ("stand", "sit")


def test_another_version_is_refused(make_scores, tmp_path):
    path = tmp_path / "scores.npz"
    make_scores().save(path)
    contents = members(path)
    contents["metadata.npy"] = npy(json.dumps({"format_version": 99}))
    write_zip(path, contents)
    with pytest.raises(
        InputError, match=r"format_version: score file of another version; found 99"
    ):
        Scores.load(path)


@pytest.mark.parametrize(
    "damage",
    [
        {"logits.npy": npy(np.array([{"an": "object"}], dtype=object))},
        {"logits.npy": b"no array"},
        {"logits.npy": npy(np.zeros((40, 10), dtype=np.float32))[:-4]},
        {"metadata.npy": npy("[1]")},
        {"metadata.npy": npy("{}")},
        {"metadata.npy": npy("[" * 100_000)},
        {"metadata.npy": npy("not json")},
    ],
)
def test_damaged_members_are_refused(make_scores, tmp_path, damage):
    path = tmp_path / "scores.npz"
    make_scores().save(path)
    write_zip(path, members(path) | damage)
    with pytest.raises(InputError, match=r"scores\.npz: is damaged, or not a score file"):
        Scores.load(path)


def test_an_array_that_declares_more_than_it_holds_is_refused(make_scores, tmp_path):
    path = tmp_path / "scores.npz"
    make_scores().save(path)
    header = io.BytesIO()
    declared = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**3)}
    np.lib.format.write_array_header_1_0(header, declared)
    write_zip(path, members(path) | {"logits.npy": header.getvalue()})
    with pytest.raises(InputError, match="does not hold the float32"):
        Scores.load(path)


def test_a_compressed_archive_is_refused_before_it_is_unpacked(make_scores, tmp_path):
    path = tmp_path / "scores.npz"
    make_scores().save(path)
    write_zip(path, members(path), zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed"):
        Scores.load(path)


@pytest.mark.parametrize("kept", [0, 3, 4, 100, 2000])
def test_a_truncated_file_is_refused(make_scores, recipe, tmp_path, kept):
    path = tmp_path / "scores.npz"
    make_scores().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"scores\.npz"):
        read_scores(path, recipe=recipe)


def test_wrong_values_in_a_file_name_the_file(make_scores, tmp_path):
    path = tmp_path / "scores.npz"
    make_scores().save(path)
    write_zip(path, members(path) | {"labels.npy": npy(np.full(40, 77))})
    with pytest.raises(
        InputError, match=r"scores\.npz: sample_000: label is not a class; found 77"
    ):
        Scores.load(path)


def test_a_missing_file_is_named(recipe, tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: cannot be read"):
        read_scores(tmp_path / "none.npz", recipe=recipe)


def test_the_content_decides_not_the_name(make_scores, recipe, tmp_path):
    path = tmp_path / "looks_like.pkl"
    make_scores().save(path)
    assert len(read_scores(path, recipe=recipe)) == 40
    path.write_text("hello")
    with pytest.raises(InputError, match=r"is not a score file; found .*b'hell'"):
        read_scores(path, recipe=recipe)


def test_scores_of_something_else_are_refused(make_scores, recipe, tmp_path):
    path = tmp_path / "scores.npz"
    make_scores(modality="bone").save(path)
    assert len(read_scores(path, recipe=recipe, modality="bone")) == 40
    with pytest.raises(InputError, match="another modality; found bone; expected joint"):
        read_scores(path, recipe=recipe, modality="joint")
    make_scores(benchmark="ntu60-xsub").save(path)
    with pytest.raises(InputError, match="another benchmark; found ntu60-xsub; expected nw-ucla"):
        read_scores(path, recipe=recipe)
    make_scores(classes=9).save(path)
    with pytest.raises(InputError, match="wrong number of classes; found 9; expected 10"):
        read_scores(path, recipe=recipe)
