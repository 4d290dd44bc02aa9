from __future__ import annotations

import pytest

from frhead_core.config import load_recipe, override
from frhead_core.training.schedule import learning_rate


def test_warm_up_and_steps_of_the_published_recipe() -> None:
    settings = load_recipe("ntu120-xsub").training
    rates = [learning_rate(settings, epoch, 0.5, 80) for epoch in range(80)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[5:35] == [0.1] * 30
    assert rates[35:55] == pytest.approx([0.01] * 20)
    assert rates[55:] == pytest.approx([0.001] * 25)


def test_one_cycle_rises_and_falls_with_every_batch() -> None:
    changes = {"training.schedule": "one_cycle", "training.warm_up_epochs": 2}
    settings = override(load_recipe("nw-ucla"), changes).training
    rates = [learning_rate(settings, epoch, share, 6) for epoch in range(6) for share in (0, 0.5)]
    assert rates[:5] == pytest.approx([0, 0.025, 0.05, 0.075, 0.1])
    assert rates[8] == pytest.approx(0.05)  # half-way down
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.004
