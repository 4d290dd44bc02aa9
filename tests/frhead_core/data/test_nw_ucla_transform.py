from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.config import load_recipe
from frhead_core.data.draws import sample_generator
from frhead_core.data.nw_ucla_transform import (
    NWUCLATransform,
    even_frames,
    fit_to_unit_cube,
    training_draws,
    transform,
    turn,
)
from frhead_core.data.ragged import RaggedBatch

SETTINGS = load_recipe("nw-ucla").loader
LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=6)


def batch_of(lengths, seed=0):
    rows = np.random.default_rng(seed).normal(size=(sum(lengths), 20, 3))
    names = np.array([f"r{number}" for number in range(len(lengths))], dtype=object)
    return RaggedBatch(names, rows, np.array(lengths), np.ones(len(lengths), dtype=np.int64))


def one_of(batch, sample):
    begin, length = batch.starts[sample], batch.lengths[sample]
    return RaggedBatch(
        batch.names[[sample]],
        batch.rows[begin : begin + length],
        batch.frames[[sample]],
        batch.bodies[[sample]],
    )


def generators(count, first=0):
    return [sample_generator(1, 2, first + index) for index in range(count)]


@given(lengths=LENGTHS, training=st.booleans())
def test_a_ragged_batch_equals_its_sequences_one_by_one(lengths, training):
    batch, apply = batch_of(lengths), NWUCLATransform(SETTINGS)
    together = apply(batch, generators(len(lengths)) if training else None)
    assert together.shape == (len(lengths), 3, 52, 20, 1)
    for sample in range(len(lengths)):
        alone = apply(one_of(batch, sample), generators(1, sample) if training else None)
        np.testing.assert_array_equal(alone[0], together[sample])


@given(lengths=LENGTHS)
def test_training_draws_are_in_range(lengths):
    frames = np.array(lengths)
    draws = training_draws(frames, SETTINGS, generators(len(lengths)))
    assert (np.abs(draws.degrees) <= 60).all()
    np.testing.assert_array_equal(draws.degrees, draws.degrees.round())
    assert ((draws.scale >= 0.5) & (draws.scale <= 1.5)).all()
    assert (draws.frames >= 0).all()
    assert (draws.frames < frames[:, None]).all()
    assert (np.diff(draws.frames, axis=1) >= 0).all()


def test_all_degrees_are_drawn():
    count = 4000
    draws = training_draws(np.full(count, 30), SETTINGS, generators(count))
    assert set(draws.degrees.ravel().astype(int)) == set(range(-60, 61))
    seen = np.bincount(draws.frames.ravel(), minlength=30) / draws.frames.size
    np.testing.assert_allclose(seen, 1 / 30, rtol=0.03)


@given(lengths=st.lists(st.integers(1, 400), min_size=1, max_size=8), window=st.integers(1, 64))
def test_even_frames_are_those_of_linspace(lengths, window):
    found = even_frames(np.array(lengths), window)
    for frames, length in zip(found, lengths, strict=True):
        expected = np.linspace(0, length - 1, window).astype(int)
        np.testing.assert_array_equal(frames, expected)


@given(lengths=LENGTHS)
def test_coordinates_lie_in_the_unit_cube(lengths):
    result = NWUCLATransform(SETTINGS)(batch_of(lengths), generators(len(lengths)))
    assert np.abs(result).max() <= 1 + 1e-12


def test_a_flat_axis_becomes_zero():
    values = np.random.default_rng(0).normal(size=(4, 20, 3))
    values[..., 2] = 7.5
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    fitted = fit_to_unit_cube(values, low, high)
    assert not fitted[..., 2].any()
    assert fitted[..., :2].min() == -1
    assert fitted[..., :2].max() == 1


def test_a_single_flat_frame_gives_numbers():
    batch = batch_of([1, 3])
    batch.rows[0] = 0
    result = NWUCLATransform(SETTINGS)(batch, None)
    assert not result[0].any()
    assert np.isfinite(result).all()


@given(seed=st.integers(0, 50))
def test_turning_keeps_distances_up_to_the_scale(seed):
    batch = batch_of([3, 5], seed)
    draws = training_draws(batch.frames, SETTINGS, generators(2, seed))
    turned = turn(batch, draws)
    before, after = (
        np.linalg.norm(rows[:, 1:] - rows[:, :1], axis=2) for rows in (batch.rows, turned)
    )
    factor = np.repeat(draws.scale, batch.lengths)[:, None]
    np.testing.assert_allclose(after, before * factor, rtol=1e-10)


def test_the_input_stays():
    batch = batch_of([4, 9])
    before = batch.rows.copy()
    transform(batch, training_draws(batch.frames, SETTINGS, generators(2)))
    np.testing.assert_array_equal(batch.rows, before)


@pytest.mark.parametrize("window", [1, 52])
def test_a_lone_frame_is_repeated(window):
    assert not even_frames(np.array([1]), window).any()
