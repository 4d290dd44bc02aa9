from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frhead_core.evaluation.skeleton_player import animation, most_confident_errors
from frhead_core.skeletons import skeleton

LAYOUT = skeleton("nw-ucla")


def test_long_sequences_are_thinned_from_first_to_last_frame():
    sequence = np.random.default_rng(0).normal(size=(1, 300, 20, 3))
    data = animation(sequence, LAYOUT)
    assert data["total"] == 300
    assert len(data["kept"]) == len(data["frames"]) == 60
    assert (data["kept"][0], data["kept"][-1]) == (0, 299)
    assert animation(sequence[:, :7], LAYOUT)["kept"] == list(range(7))


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(1, 5), st.just(20), st.just(3)),
        elements=st.floats(-100, 100, width=32),
    )
)
def test_every_joint_stays_in_the_box_however_it_is_turned(sequence):
    for bodies in animation(sequence, LAYOUT)["frames"]:
        for body in bodies:
            if body is not None:
                across, height, depth = np.array(body).reshape(20, 3).T
                assert np.abs(height).max() <= 500
                assert np.hypot(across, depth).max() <= 501


def test_proportions_are_kept():
    sequence = np.random.default_rng(1).normal(size=(1, 4, 20, 3))
    frames = animation(sequence, LAYOUT)["frames"]
    drawn = np.array([bodies[0] for bodies in frames]).reshape(4, 20, 3)
    before = np.linalg.norm(np.diff(sequence[0], axis=1), axis=-1)
    after = np.linalg.norm(np.diff(drawn, axis=1), axis=-1)
    ratio = after / before
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=0.05)


def test_an_absent_body_is_left_out_and_does_not_move_the_box():
    sequence = np.zeros((2, 3, 20, 3))
    sequence[0] = np.random.default_rng(2).normal(size=(3, 20, 3)) + 50
    sequence[1, 1] = 51
    frames = animation(sequence, LAYOUT)["frames"]
    assert [bodies[1] is None for bodies in frames] == [True, False, True]
    assert np.ptp(np.array(frames[0][0])) > 200


def test_a_sequence_of_zeros_can_be_shown():
    assert animation(np.zeros((1, 2, 20, 3)), LAYOUT)["frames"] == [[None], [None]]


def test_errors_are_sorted_by_the_probability_of_the_wrong_class(make_scores):
    errors = most_confident_errors(make_scores(skill=0.5), 100)
    chances = [error.predicted_probability for error in errors]
    assert chances == sorted(chances, reverse=True)
    assert all(error.actual != error.predicted for error in errors)
    assert all(error.actual_probability <= error.predicted_probability for error in errors)
    assert len(most_confident_errors(make_scores(skill=0.5), 3)) == 3
