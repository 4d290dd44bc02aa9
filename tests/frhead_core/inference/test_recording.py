from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frhead_core.config import load_recipe
from frhead_core.errors import InputError
from frhead_core.inference.recording import read_recording

NTU, UCLA = load_recipe("ntu60-xsub"), load_recipe("nw-ucla")
STANDING = np.random.default_rng(0).normal(size=(2, 30, 25, 3))


def saved(path: Path, array: Any) -> Path:
    np.save(path, array, allow_pickle=True)
    return path


def test_an_array_is_centred_as_the_dataset_is(tmp_path: Path) -> None:
    sequence = read_recording(saved(tmp_path / "x.npy", STANDING), NTU)

    assert (sequence.shape, sequence.dtype) == ((2, 30, 25, 3), np.float32)
    assert not sequence[0, 0, 1].any()  # the middle of the spine
    moved = np.float32(STANDING) - np.float32(STANDING)[0, 0, 1]
    np.testing.assert_array_equal(sequence, moved)


def test_a_body_that_is_absent_stays_zero(tmp_path: Path) -> None:
    array = STANDING.copy()
    array[1, 10:] = 0
    assert not read_recording(saved(tmp_path / "x.npy", array), NTU)[1, 10:].any()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((30, 20, 3)), r"the shape is \(30, 20, 3\), expected \(T, 25, 3\)"),
        (np.zeros((3, 30, 25, 3)), r"the shape is \(3, 30, 25, 3\), .* with M up to 2"),
        (np.zeros((0, 25, 3)), r"the shape is \(0, 25, 3\)"),
        (np.zeros((0, 3, 25, 3)), r"the shape is \(0, 3, 25, 3\)"),
        (np.zeros((25, 3)), r"the shape is \(25, 3\)"),
        (np.zeros((4, 25, 3), complex), "holds complex128, expected numbers"),
        (np.array([{}]), "holds object, expected numbers"),
        (np.full((4, 25, 3), np.nan), "a coordinate is not finite"),
        (np.full((4, 25, 3), 1e300), "a coordinate is not finite"),
        (np.zeros((4, 25, 3)), "no joint was tracked"),
        (STANDING * [[[[0]]], [[[1]]]], "no joint of the first actor was tracked"),
    ],
)
def test_arrays_of_another_kind_are_refused(array: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"x\.npy: .*{message}"):
        read_recording(saved(tmp_path / "x.npy", array), NTU)


def test_an_array_that_promises_more_than_there_is_asks_for_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    header = {"shape": (10**12, 25, 3), "fortran_order": False, "descr": "<f8"}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(InputError, match="holds 0 bytes, expected"):
        read_recording(path, NTU)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_spoilt_arrays_are_read_or_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = saved(Path(folder) / "x.npy", np.ones((2, 25, 3)))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        try:
            assert read_recording(path, NTU).shape[2:] == (25, 3)
        except InputError as error:
            assert str(path) in str(error)


Change = Callable[[list[Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frames: frames[0], "frame 0 has 3 joints, expected 20"),
        (lambda frames: [], "no frames"),
        (lambda frames: [[[None] * 3] * 20], "not a finite number"),
    ],
)
def test_bad_json_is_refused(change: Change, message: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(json.dumps({"skeletons": change(np.ones((3, 20, 3)).tolist())}))
    with pytest.raises(InputError, match=rf"clip\.json: .*{message}"):
        read_recording(path, UCLA)


@pytest.mark.parametrize(
    ("name", "content", "recipe", "message"),
    [
        ("clip.json", b"{", UCLA, "not whole JSON"),
        ("clip.json", b"{}", UCLA, 'no field "skeletons"'),
        ("clip.skeleton", b"1\n", NTU, "line 2: the file ends"),
        ("clip.skeleton", b"1\n0\n", NTU, "none of the 1 frames has a body"),
        ("clip.json", b"{}", NTU, r"no recording .* ntu60; found \.json; expected \.skeleton or"),
        ("clip", b"", UCLA, r"found no suffix; expected \.json or \.npy"),
    ],
)
def test_other_files_are_refused(
    name: str, content: bytes, recipe: Any, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_recording(tmp_path / name, recipe)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: cannot be read \(No such file"):
        read_recording(tmp_path / "gone.json", UCLA)
