from __future__ import annotations

import builtins
import dataclasses
import os
import pickle
import pickletools
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frhead_core.config import load_recipe
from frhead_core.data import nw_ucla
from frhead_core.errors import InputError
from frhead_core.evaluation.author_pickles import SampleList
from frhead_core.evaluation.scores import read_scores
from frhead_core.restricted_pickle import SCORES, read_restricted

FILE = Path("scores.pkl")
GENUINE = pickle.dumps(
    {np.int64(row): np.arange(10, dtype=np.float32) + row for row in range(464)}, protocol=3
)


class Calls:
    """Pickles into a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def old_spelling(content: bytes) -> bytes:
    return content.replace(b"numpy._core.", b"numpy.core.")


@pytest.mark.parametrize(("protocol", "spelling"), [(3, bytes), (3, old_spelling), (4, bytes)])
def test_a_genuine_file_is_read(tmp_path, recipe, protocol, spelling):
    rows = np.random.default_rng(3).permutation(464)
    logits = np.random.default_rng(4).normal(size=(464, 10)).astype(np.float32)
    content = pickle.dumps({np.int64(row): logits[row] for row in rows}, protocol=protocol)
    path = tmp_path / "epoch1_test_score.pkl"
    path.write_bytes(spelling(content))
    scores = read_scores(path, recipe=recipe, modality="bone")
    np.testing.assert_array_equal(scores.logits, logits)
    assert scores.names == nw_ucla.test_names()
    assert scores.names[0] == "a05_s04_e02_v03"
    assert scores.labels[:3].tolist() == [4, 9, 2]
    assert set(scores.parts) == {"test"}
    assert not scores.seen_in_training.any()
    assert scores.class_names == nw_ucla.CLASSES
    assert scores.metadata["which"] == "best_on_test"


def test_only_the_four_globals_are_in_a_genuine_file():
    names = {argument for code, argument, _ in pickletools.genops(GENUINE) if code.name == "GLOBAL"}
    assert len(names) == 4


def ntu_file(path: Path, count: int) -> np.ndarray:
    logits = np.random.default_rng(0).normal(size=(count, 60)).astype(np.float32)
    values = {f"test_{row}": logits[row] for row in range(count)}
    path.write_bytes(pickle.dumps(values, protocol=3))
    return logits


def test_ntu_needs_the_list_of_samples(tmp_path):
    ntu_file(tmp_path / "s.pkl", 3)
    with pytest.raises(InputError, match=r"neither labels nor names.*in the authors. order"):
        read_scores(tmp_path / "s.pkl", recipe=load_recipe("ntu60-xsub"))


def test_ntu_positions_follow_the_list_of_samples(tmp_path):
    logits = ntu_file(tmp_path / "s.pkl", 12)
    samples = SampleList(tuple(f"S001A{row:03d}" for row in range(12)), tuple(range(12)))
    scores = read_scores(tmp_path / "s.pkl", recipe=load_recipe("ntu60-xsub"), samples=samples)
    np.testing.assert_array_equal(scores.logits, logits)
    assert scores.names == samples.names
    assert scores.labels.tolist() == list(range(12))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "is not a score file; found a pickled dict"),
        ([1, 2], "found a pickled list"),
        ({np.int64(0): np.zeros(10, np.float32)}, "missing; found 1 samples; expected 464"),
        ({"test_0": np.zeros(10, np.float32)}, "test_0: unknown sample"),
        ({np.int64(464): np.zeros(10, np.float32)}, "464: unknown sample"),
        ({np.int64(-1): np.zeros(10, np.float32)}, "-1: unknown sample"),
        ({True: np.zeros(10, np.float32)}, "True: unknown sample"),
        ({np.int64(0): np.zeros(9, np.float32)}, r"0: wrong scores .* found float32 \(9,\)"),
        ({np.int64(0): np.zeros((1, 10), np.float32)}, r"found float32 \(1, 10\)"),
        ({np.int64(0): np.zeros(10, np.int64)}, r"found int64 \(10,\)"),
        ({np.int64(0): 3}, "0: wrong scores for a sample; found int"),
        ({np.int64(0): {}}, "0: wrong scores for a sample; found dict"),
    ],
)
def test_other_content_is_refused(tmp_path, recipe, values, message):
    path = tmp_path / "s.pkl"
    path.write_bytes(pickle.dumps(values, protocol=3))
    with pytest.raises(InputError, match=message):
        read_scores(path, recipe=recipe)


def test_scores_that_are_not_finite_are_refused(tmp_path, recipe):
    values = {np.int64(row): np.full(10, np.nan, np.float32) for row in range(464)}
    (tmp_path / "s.pkl").write_bytes(pickle.dumps(values, protocol=3))
    with pytest.raises(InputError, match="logits are not finite"):
        read_scores(tmp_path / "s.pkl", recipe=recipe)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("wrap", [lambda call: call, lambda call: {0: call}])
def test_a_call_is_refused_by_name_and_does_not_happen(tmp_path, recipe, protocol, wrap):
    witness = tmp_path / "witness"
    crafted = {
        "posix.system": Calls(os.system, f"touch {witness}"),
        "builtins.eval": Calls(builtins.eval, f"open({str(witness)!r}, 'w')"),
        "builtins.getattr": Calls(getattr, np.int64, "mro"),
    }
    path = tmp_path / "s.pkl"
    for name, call in crafted.items():
        path.write_bytes(pickle.dumps(wrap(call), protocol=protocol))
        shown = name.replace("builtins", "__builtin__") if protocol == 2 else name
        with pytest.raises(InputError, match=rf"asks for {shown}.*was not run"):
            read_scores(path, recipe=recipe)
        assert not witness.exists()


def test_a_call_behind_a_genuine_file_does_not_happen(tmp_path, recipe):
    witness = tmp_path / "witness"
    attack = pickle.dumps(Calls(os.system, f"touch {witness}"), protocol=3)[2:]
    (tmp_path / "s.pkl").write_bytes(GENUINE[:-1] + b"0" + attack)
    with pytest.raises(InputError, match="refused"):
        read_scores(tmp_path / "s.pkl", recipe=recipe)
    (tmp_path / "s.pkl").write_bytes(GENUINE + attack)
    with pytest.raises(InputError, match="left over"):
        read_scores(tmp_path / "s.pkl", recipe=recipe)
    assert not witness.exists()


def test_nested_calls_are_refused():
    nested = {np.int64(0): [{"deep": (1, Calls(os.system, "true"))}]}
    with pytest.raises(InputError, match=r"asks for posix\.system"):
        read_restricted(pickle.dumps(nested, protocol=3), FILE)


GLOBAL_NDARRAY = b"cnumpy\nndarray\n"
GLOBAL_DTYPE = b"cnumpy\ndtype\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
FLOAT = GLOBAL_DTYPE + b"X\x02\x00\x00\x00f4" + b"\x89\x88\x87R"


def array(shape: bytes, content: bytes, dtype: bytes = FLOAT) -> bytes:
    """A pickled array, by hand."""
    empty = RECONSTRUCT + GLOBAL_NDARRAY + b"K\x00\x85" + b"C\x01b" + b"\x87R"
    return empty + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"


def test_the_handmade_array_is_right():
    content = array(b"K\x02\x85", b"C\x08" + struct.pack("<2f", 1.5, -2))
    np.testing.assert_array_equal(read_restricted(b"\x80\x03" + content + b".", FILE), [1.5, -2])


ENORMOUS = b"\x8a\x06" + (2**40).to_bytes(6, "little")
LARGE = b"J\xff\xff\xff\x7f"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (array(LARGE + b"\x85", b"C\x00"), "but does not hold it; found 0 bytes"),
        (array(LARGE + LARGE + b"\x86", b"C\x00"), "but does not hold it"),
        (array(LARGE + LARGE + LARGE + b"\x87", b"C\x00"), "shape is not understood"),
        (array(ENORMOUS + b"\x85", b"C\x00"), "LONG1"),
        (array(b"J\xff\xff\xff\xff\x85", b"C\x00"), "shape is not understood"),
        (array(b"\x88\x85", b"C\x04aaaa"), "shape is not understood"),
        (array(b"K\x01\x85", b"]"), "not plain bytes"),
        (array(b"K\x01\x85", b"C\x04aaaa", b"N"), "not plain bytes"),
        (array(b"K\x01\x85", b"C\x04aaaa", GLOBAL_DTYPE), "not plain bytes"),
        (GLOBAL_DTYPE + b"X\x01\x00\x00\x00O\x89\x88\x87R", "an array type .* found O; expected"),
        (GLOBAL_DTYPE + b"X\x03\x00\x00\x00V99\x89\x88\x87R", "an array type .* found V99"),
        (GLOBAL_DTYPE + b"(lX\x01\x00\x00\x00Ot\x85R", "refused"),
        (GLOBAL_DTYPE + b"]\x89\x88\x87R", "an array type .* found list"),
        (FLOAT + b"(K\x03X\x01\x00\x00\x00|]NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb", "dtype"),
        (FLOAT, "a value of the wrong kind; found DType"),
        (SCALAR + FLOAT + b"C\x02aa\x86R", "found 2 bytes; expected 4 bytes"),
        (SCALAR + b"NC\x02aa\x86R", "not plain bytes"),
        (SCALAR + GLOBAL_NDARRAY + b"\x85R", "not plain bytes"),
        (RECONSTRUCT + GLOBAL_DTYPE + b"K\x00\x85C\x01b\x87R", "an array of a kind"),
        (RECONSTRUCT + GLOBAL_NDARRAY + b"K\x00\x85C\x01b\x87R", "array without content"),
        (GLOBAL_NDARRAY + b"K\x09\x85R", "used in a way that no score file needs"),
        (GLOBAL_NDARRAY, "wrong kind; found Global"),
        (b"(ios\nsystem\n", "INST os system"),
        (b"(X\x04\x00\x00\x00true" + b"cos\nsystem\no", "asks for os.system"),
        (GLOBAL_NDARRAY + b")\x81", "NEWOBJ"),
        (b"\x82\x01", "EXT1 1"),
        (b"Psomewhere\n", "PERSID somewhere"),
        (b"I1\n", "INT 1"),
        (b"\x8c\x02os\x8c\x06system\x93", "asks for os.system"),
        (b"K\x01\x8c\x06system\x93", "value of the wrong kind; found int"),
        (b"}K\x01K\x02b", "wrong kind; found int"),
        (b"})b", "state set on the wrong kind; found dict"),
        (b"}(K\x01u", "entries added to the wrong kind"),
        (b"]K\x01K\x02s", "entries added to the wrong kind; found list"),
        (b"}K\x01a", "items added to the wrong kind; found dict"),
        (b"}K\x01Ns" + b"K\x01Ns", "1: a key occurs more than once|found 1"),
        (b"}NNs", "key of the wrong kind; found NoneType"),
        (b"(", "left over|wrong kind"),
        (b"NN", "left over"),
        (b"", "left over"),
        (b"R", "cut off or damaged"),
        (b"t", "cut off or damaged"),
        (b"h\x07", "cut off or damaged"),
        (b"q\x00", "cut off or damaged"),
        (b"\x85", "cut off or damaged"),
        (b"\xff", "cut off or damaged"),
    ],
)
def test_crafted_instructions_are_refused(body, message):
    with pytest.raises(InputError, match=message):
        read_restricted(b"\x80\x03" + body + b".", FILE)


@pytest.mark.parametrize(
    "body",
    [
        b"B\xff\xff\xff\x7f",  # bytes that claim two gigabytes
        b"\x8e" + (2**62).to_bytes(8, "little"),
        b"X\xff\xff\xff\x7f",
        b"\x95" + (2**62).to_bytes(8, "little") + b"(",  # a frame that claims exabytes
        b"Nr\xff\xff\xff\x7f0.",  # a memo place that a table would need gigabytes for
        array(LARGE + b"\x85", b"C\x00"),
    ],
)
def test_a_small_file_cannot_claim_much_memory(body):
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read_restricted(b"\x80\x04" + body + b".", FILE)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_deep_nesting_neither_recurses_nor_gets_hashed():
    deep = b"N" + 200_000 * b"\x85"
    with pytest.raises(InputError, match="key of the wrong kind"):
        read_restricted(b"\x80\x03}" + deep + b"Ns.", FILE)
    with pytest.raises(InputError, match="not plain bytes"):
        read_restricted(b"\x80\x03" + SCALAR + deep + b"N\x86R.", FILE)


def test_a_value_that_contains_itself_is_refused(tmp_path, recipe):
    endless: dict[Any, Any] = {}
    endless[np.int64(0)] = endless
    (tmp_path / "s.pkl").write_bytes(pickle.dumps(endless, protocol=3))
    with pytest.raises(InputError, match="wrong scores for a sample; found dict"):
        read_scores(tmp_path / "s.pkl", recipe=recipe)


def test_shared_references_do_not_multiply():
    doubling = b"]q\x00" + b"".join(
        b"]"
        + b"h"
        + bytes([level])
        + b"a"
        + b"h"
        + bytes([level])
        + b"a"
        + b"q"
        + bytes([level + 1])
        for level in range(100)
    )
    with pytest.raises(InputError, match="left over"):
        read_restricted(b"\x80\x03" + doubling + b".", FILE)


def test_a_file_that_is_too_large_is_not_parsed():
    small = dataclasses.replace(SCORES, most_bytes=len(GENUINE) - 1)
    with pytest.raises(InputError, match=f"too large to be read; found {len(GENUINE)} bytes"):
        read_restricted(GENUINE, FILE, small)


@pytest.mark.parametrize("kept", [2, 3, 40, 100, 10_000, len(GENUINE) - 1])
def test_truncated_files_are_refused(tmp_path, recipe, kept):
    (tmp_path / "s.pkl").write_bytes(GENUINE[:kept])
    with pytest.raises(InputError, match=r"s\.pkl: pickle is cut off or damaged"):
        read_scores(tmp_path / "s.pkl", recipe=recipe)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(2, 600), byte=st.integers(0, 255), cut=st.integers(0, 3))
def test_any_changed_byte_ends_in_a_value_or_an_input_error(place, byte, cut):
    content = bytearray(pickle.dumps({np.int64(0): np.zeros(3, np.float32)}, protocol=3))
    content[place % len(content)] = byte
    del content[len(content) - cut :]
    try:
        value = read_restricted(bytes(content), FILE)
    except InputError:
        return
    assert isinstance(value, dict | list | tuple | str | bytes | int | np.generic | np.ndarray)
