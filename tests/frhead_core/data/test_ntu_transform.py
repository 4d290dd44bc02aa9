from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from frhead_core.config import load_recipe
from frhead_core.data.draws import sample_generator
from frhead_core.data.ntu_transform import (
    NTUTransform,
    centre_crop,
    crop_and_resize,
    crop_length,
    mask_frames,
    random_crop,
    rotate,
    rotation_matrices,
    scale_bones,
    valid_frames,
)
from frhead_core.data.ragged import RaggedBatch
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

NTU = skeleton("ntu")
ZEROS = load_recipe("ntu60-xsub").loader
REPEAT = load_recipe("ntu120-xsub").loader
SHAPES = st.lists(st.tuples(st.integers(1, 120), st.integers(1, 2)), min_size=1, max_size=5)


def batch_of(shapes, seed=0):
    frames, bodies = np.array(shapes).T
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(int((frames * bodies).sum()), 25, 3)).astype(np.float32)
    names = np.array([f"r{number}" for number in range(len(shapes))], dtype=object)
    return RaggedBatch(names, rows, frames, bodies)


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


@given(shapes=SHAPES, training=st.booleans(), repeat=st.booleans())
def test_a_ragged_batch_equals_its_sequences_one_by_one(shapes, training, repeat):
    settings = dataclasses.replace(REPEAT if repeat else ZEROS, frame_mask=0.25)
    batch, apply = batch_of(shapes), NTUTransform(settings, NTU)
    together = apply(batch, generators(len(shapes)) if training else None)
    assert together.shape == (len(shapes), 3, 64, 25, 2)
    assert together.dtype == np.float32
    for sample in range(len(shapes)):
        alone = apply(one_of(batch, sample), generators(1, sample) if training else None)
        np.testing.assert_allclose(alone[0], together[sample], atol=1e-5)


@pytest.mark.parametrize(("settings", "copied"), [(ZEROS, False), (REPEAT, True)])
def test_what_stands_in_for_a_second_body(settings, copied):
    result = NTUTransform(settings, NTU)(batch_of([(30, 1), (40, 2)]), None)
    second = result[0, ..., 1]
    np.testing.assert_array_equal(second, result[0, ..., 0] if copied else np.zeros_like(second))
    assert not np.array_equal(result[1, ..., 0], result[1, ..., 1])


@given(seed=st.integers(0, 20), begin=st.integers(0, 10))
def test_a_crop_of_the_windows_length_is_not_changed(seed, begin):
    batch = batch_of([(80, 2)], seed)
    found = crop_and_resize(batch, np.array([begin]), np.array([64]), 64, 2, "zeros")
    expected = batch.rows.reshape(2, 80, 25, 3)[:, begin : begin + 64].transpose(3, 1, 2, 0)
    np.testing.assert_array_equal(found[0], expected)


@given(length=st.integers(1, 120), window=st.integers(1, 100))
def test_resizing_is_that_of_torch(length, window):
    batch = batch_of([(length, 1)])
    found = crop_and_resize(batch, np.array([0]), np.array([length]), window, 1, "zeros")
    columns = torch.from_numpy(batch.rows.reshape(1, length, 75)).permute(0, 2, 1)
    expected = interpolate(columns, size=window, mode="linear", align_corners=False)
    found = found[0, ..., 0].transpose(2, 0, 1).reshape(75, window)
    np.testing.assert_allclose(found, expected[0].numpy(), atol=2e-5)


def test_frames_without_any_body_are_not_counted():
    batch = batch_of([(10, 2), (5, 1)])
    bodies = batch.rows[:20].reshape(2, 10, 25, 3)
    bodies[:, 3] = 0  # neither body
    bodies[0, 5] = 0  # only the first is missing
    assert valid_frames(batch).tolist() == [9, 5]


def test_an_empty_sequence_is_named():
    batch = batch_of([(10, 2), (5, 1)])
    batch.rows[20:] = 0
    with pytest.raises(InputError, match="r1: every frame of the sequence is zero"):
        NTUTransform(ZEROS, NTU)(batch, None)


@given(valid=st.integers(1, 300), share=st.floats(0, 1))
def test_a_centre_crop_keeps_at_least_a_frame(valid, share):
    begin, length = centre_crop(np.array([valid]), share)
    assert begin[0] >= 0
    assert length[0] >= 1
    assert length[0] + 2 * begin[0] == valid


@given(valid=st.integers(1, 300), draw=st.floats(0, 1, exclude_max=True), index=st.integers(0, 99))
def test_a_random_crop_lies_inside(valid, draw, index):
    assert min(64, valid) <= crop_length(valid, draw, (0.5, 1.0)) <= valid
    begin, length = random_crop(valid, (0.5, 1.0), sample_generator(0, 0, index))
    assert 0 <= begin <= begin + length <= valid


@given(seed=st.integers(0, 50))
def test_a_rotation_keeps_lengths_and_can_be_undone(seed):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(2, 3, 4, 25, 2))
    matrices = rotation_matrices(generator.uniform(-3, 3, size=(2, 3)))
    turned = rotate(x, matrices)
    np.testing.assert_allclose((turned**2).sum(axis=1), (x**2).sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(rotate(turned, matrices.transpose(0, 2, 1)), x, atol=1e-10)


@given(seed=st.integers(0, 50))
def test_bones_get_their_factors_and_mirrored_ones_the_mean(seed):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(2, 3, 4, 25, 2)).astype(np.float32)
    factors = generator.uniform(0.8, 1.2, size=(2, 24)).astype(np.float32)
    scaled = scale_bones(x, factors, NTU)
    mean = factors.copy()
    for left, right in NTU.mirrored:
        mean[:, left] = mean[:, right] = (factors[:, left] + factors[:, right]) / 2
    for bone, (parent, child) in enumerate(NTU.chain):
        before = np.linalg.norm(x[..., child, :] - x[..., parent, :], axis=1)
        after = np.linalg.norm(scaled[..., child, :] - scaled[..., parent, :], axis=1)
        np.testing.assert_allclose(after, before * mean[:, bone][:, None, None], rtol=1e-4)


def test_an_absent_body_stays_absent():
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 25, 2)).astype(np.float32)
    x[..., 1] = 0
    factors = np.full((1, 24), 1.2, dtype=np.float32)
    assert not scale_bones(rotate(x, rotation_matrices(np.ones((1, 3)))), factors, NTU)[
        ..., 1
    ].any()


def test_masked_frames_are_zero_and_the_others_untouched():
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 25, 2))
    masked = mask_frames(x, np.array([[1, 1], [0, 5]]))
    assert not masked[0, :, 1].any()
    assert not masked[1, :, [0, 5]].any()
    np.testing.assert_array_equal(masked[0, :, 2:], x[0, :, 2:])
    np.testing.assert_array_equal(masked[1, :, 1:5], x[1, :, 1:5])


def test_bones_of_another_layout_cannot_be_scaled():
    with pytest.raises(InputError, match=r"loader\.random_scale.*found nw-ucla"):
        NTUTransform(ZEROS, skeleton("nw-ucla"))
    NTUTransform(dataclasses.replace(ZEROS, random_scale=0.0), skeleton("nw-ucla"))
