"""The compiled conversion of numbers against Python's: text to float64 to float32."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.data.ntu_raw import parse_skeletons

REST = " 1 2 3 4 0 0 0 0 2"


def file_of(texts):
    """A file whose coordinates are these texts, padded with zeros to whole bodies."""
    texts = [*texts, *["0"] * (-len(texts) % 75)]
    lines = [str(len(texts) // 75)]
    for first in range(0, len(texts), 75):
        lines += ["1", "7 0 0 0 0 0 0 0 0 2", "25"]
        lines += [" ".join(texts[i : i + 3]) + REST for i in range(first, first + 75, 3)]
    return "\n".join(lines).encode()


def converted(texts):
    (body,) = parse_skeletons(file_of(texts)).bodies
    return body.coordinates.reshape(-1)[: len(texts)]


def expected(texts):
    return np.array([float(text) for text in texts]).astype(np.float32)


def assert_equal_bits(texts):
    found, right = converted(texts).view(np.int32), expected(texts).view(np.int32)
    wrong = np.flatnonzero(found != right)
    assert not wrong.size, [texts[place] for place in wrong[:5]]


def test_it_is_what_numpy_makes_of_text():
    texts = ["0.501177", "-3.402e-05", "16777217", "1.00000017881393432617187499", "1e-45"]
    row = np.zeros(len(texts), np.float32)
    row[:] = texts
    np.testing.assert_array_equal(expected(texts), row)


def test_numbers_as_the_sensor_writes_them():
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=150_000) * 10.0 ** generator.integers(-8, 3, 150_000)
    assert_equal_bits([f"{number:.7g}" for number in numbers.tolist()])


@pytest.mark.parametrize("form", ["%.9g", "%.15g", "%.17g", "%.25g", "%.20e", "%E", "%.40f"])
def test_numbers_in_other_forms(form):
    generator = np.random.default_rng(2)
    numbers = generator.normal(size=30_000) * 10.0 ** generator.integers(-30, 30, 30_000)
    assert_equal_bits([form % number for number in numbers.tolist()])


def test_numbers_on_and_beside_the_middle_of_two_floats():
    generator = np.random.default_rng(3)
    bits = generator.integers(1, 0x7F000000, 8_000).astype(np.int32)
    low = bits.view(np.float32).astype(np.float64)
    middles = (low + (bits + 1).view(np.float32)) / 2  # exact in float64
    texts = [f"{middle:.120e}" for middle in middles.tolist()]
    above = [text.replace("e", "0000001e") for text in texts]
    below = [f"{np.nextafter(middle, 0):.60e}" for middle in middles.tolist()]
    assert_equal_bits(texts + above + below)


ODD_NUMBERS = """
    0 -0 +0 -0.0 0e99999999999999999999 00000000000000000000000001.5 5. .5 -.5e1 1e-05 1E-05 1E+05
    1e05 9007199254740993 9007199254740992.0 999999999999999999 1000000000000000000
    123456789012345678901234567890e-20 0.000000000000000000000000000000000000000000000123 1e-46
    7.1e-46 1e-400 -1e-400 1e-99999999999999999999 3.4028234e38 3.40282356e38
    340282346638528859811704183484516925440 1000000000000000000000000000000e-30
    0.00000000000000000000000000000000000000000000000000000000000000000000000001e74
"""
NO_NUMBERS = """
    nan NaN inf -inf -1.#IND 1e 1e+ . - +-1 1.2.3 0x1 1_0 1,5 1e39 1e99999999999999999999
    3.4028236e38 1f --1 e5 é 340282356779733661637539395458142568448
"""


@pytest.mark.parametrize("text", ODD_NUMBERS.split())
def test_odd_numbers(text):
    assert_equal_bits([text])


@pytest.mark.parametrize("text", NO_NUMBERS.split())
def test_what_is_not_a_finite_number(text):
    with pytest.raises(ValueError, match=r"^line 5: .*expected a finite number$"):
        converted([text])


DECIMALS = r"[-+]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][-+]?[0-9]{1,2})?"


@given(st.lists(st.from_regex(DECIMALS, fullmatch=True), min_size=1, max_size=60))
def test_any_decimal_text(texts):
    assert_equal_bits([text for text in texts if abs(float(text)) < 3e38] or ["0"])
