from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.config import MODALITIES
from frhead_core.data.modalities import apply_modality, bone, motion
from frhead_core.skeletons import skeleton

LAYOUTS = {20: skeleton("nw-ucla"), 25: skeleton("ntu")}


def sample(seed, joints, batch=()):
    return np.random.default_rng(seed).normal(size=(*batch, 3, 6, joints, 2))


@given(seed=st.integers(0, 99), joints=st.sampled_from([20, 25]))
def test_motion_adds_up_to_the_path(seed, joints):
    x = sample(seed, joints)
    total = motion(x)[:, :-1].sum(axis=1)
    np.testing.assert_allclose(total, x[:, -1] - x[:, 0], atol=1e-12)
    assert not motion(x)[:, -1].any()


@given(seed=st.integers(0, 99), joints=st.sampled_from([20, 25]))
def test_what_does_not_move_has_no_motion(seed, joints):
    x = np.repeat(sample(seed, joints)[:, :1], 6, axis=1)
    assert not motion(x).any()


@given(seed=st.integers(0, 99), joints=st.sampled_from([20, 25]))
def test_bones_do_not_depend_on_the_place(seed, joints):
    x = sample(seed, joints)
    moved = x + np.array([1.0, 2.0, 3.0])[:, None, None, None]
    np.testing.assert_allclose(bone(x, LAYOUTS[joints]), bone(moved, LAYOUTS[joints]), atol=1e-12)


def test_bone_is_joint_minus_partner():
    layout = LAYOUTS[20]
    x = sample(0, 20)
    bones = bone(x, layout)
    elbow, shoulder = layout.joints.index("left elbow"), layout.joints.index("left shoulder")
    np.testing.assert_array_equal(bones[..., elbow, :], x[..., elbow, :] - x[..., shoulder, :])
    assert not bones[..., layout.joints.index("shoulder center"), :].any()


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_batch_is_its_samples_and_the_input_stays(modality):
    x = sample(1, 25, batch=(4,))
    before = x.copy()
    together = apply_modality(x, modality, LAYOUTS[25])
    for one, result in zip(x, together, strict=True):
        np.testing.assert_array_equal(apply_modality(one, modality, LAYOUTS[25]), result)
    np.testing.assert_array_equal(x, before)


def test_the_four_modalities():
    x, layout = sample(2, 20), LAYOUTS[20]
    np.testing.assert_array_equal(apply_modality(x, "joint", layout), x)
    np.testing.assert_array_equal(apply_modality(x, "bone", layout), bone(x, layout))
    np.testing.assert_array_equal(apply_modality(x, "joint_motion", layout), motion(x))
    both = motion(bone(x, layout))
    np.testing.assert_array_equal(apply_modality(x, "bone_motion", layout), both)
