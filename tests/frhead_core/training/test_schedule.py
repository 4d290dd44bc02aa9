from __future__ import annotations

import pytest

from frhead_core.config import load_recipe
from frhead_core.training.schedule import learning_rate


def test_warm_up_and_steps_of_the_published_recipe() -> None:
    settings = load_recipe("ntu120-xsub").training
    rates = [learning_rate(settings, epoch) for epoch in range(80)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[5:35] == [0.1] * 30
    assert rates[35:55] == pytest.approx([0.01] * 20)
    assert rates[55:] == pytest.approx([0.001] * 25)
