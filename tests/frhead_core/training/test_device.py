"""Batches on their way to a device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.data.loader import Batch
from frhead_core.training.device import copied_ahead

CPU = torch.device("cpu")


def batch(number: int) -> Batch:
    return Batch(torch.full((1, 3, 2, 2, 1), float(number)), torch.tensor([0]), np.array([number]))


@given(st.integers(0, 5))
def test_every_batch_comes_once_and_in_order(count: int) -> None:
    found = copied_ahead(map(batch, range(count)), CPU)
    assert [int(each.rows[0]) for each in found] == list(range(count))


def test_the_next_batch_is_under_way_while_one_is_worked_on() -> None:
    prepared: list[int] = []

    def batches() -> Iterator[Batch]:
        for number in range(3):
            prepared.append(number)
            yield batch(number)

    seen = [(int(each.rows[0]), list(prepared)) for each in copied_ahead(batches(), CPU)]
    assert seen == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2])]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_batch_arrives_whole(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Memory can only be pinned where there is a GPU.
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    moved = batch(7).on(torch.device(device))
    assert moved.coordinates.device.type == moved.labels.device.type == device
    assert moved.coordinates.shape == (1, 3, 2, 2, 1)
    assert moved.rows.tolist() == [7]
