from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.data.draws import epoch_order, sample_generator

NUMBERS = st.integers(0, 2**63)


@given(seed=NUMBERS, epoch=NUMBERS, index=NUMBERS)
def test_the_same_place_gives_the_same_draws(seed, epoch, index):
    one, other = sample_generator(seed, epoch, index), sample_generator(seed, epoch, index)
    np.testing.assert_array_equal(one.random(100), other.random(100))


def test_every_place_has_its_own_draws():
    places = itertools.product((0, 1, 2**40), (0, 1, 2**40), (0, 1, 2**40))
    draws = [tuple(sample_generator(*place).random(8)) for place in places]
    single = {draw for sample in draws for draw in sample}
    assert len(single) == 27 * 8


def test_draws_are_spread_evenly():
    first = np.array([sample_generator(1, 0, index).random() for index in range(4000)])
    assert abs(first.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.05


@given(seed=NUMBERS, epoch=st.integers(0, 1000), count=st.integers(1, 200))
def test_an_order_holds_every_sample_once(seed, epoch, count):
    order = epoch_order(seed, epoch, count)
    assert sorted(order.tolist()) == list(range(count))
    np.testing.assert_array_equal(order, epoch_order(seed, epoch, count))


def test_orders_differ_between_epochs_and_seeds():
    orders = {tuple(epoch_order(seed, epoch, 50)) for seed in (0, 1) for epoch in (0, 1, 2)}
    assert len(orders) == 6
