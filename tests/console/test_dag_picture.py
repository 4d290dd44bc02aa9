"""Places in the graph: nothing overlaps, everything is inside, arrows go from box to box."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from frhead_core.config import MODALITIES
from pipeline.console.dag_picture import BOX_HEIGHT, NARROW, WIDE, picture
from pipeline.console.dag_steps import direct, steps_of


@pytest.mark.parametrize("form", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("promotion", [True, False])
def test_boxes_lie_apart_and_arrows_lead_from_one_to_another(form, count, promotion):
    steps = steps_of(MODALITIES[:count], promotion=promotion)
    drawn = picture(steps, {}, {}, "running", form)
    assert len(drawn.boxes) == len(steps) == 5 + 2 * count + promotion
    for box in drawn.boxes:
        assert box.left >= 0 and box.left + form.box_width <= drawn.width
        assert box.top >= 0 and box.top + BOX_HEIGHT <= drawn.height
    for one, other in combinations(drawn.boxes, 2):
        beside = abs(one.left - other.left) >= form.box_width
        assert beside or abs(one.top - other.top) >= BOX_HEIGHT
    by_name = {box.step.name: box for box in drawn.boxes}
    pairs = [(name, step.name) for step in steps for name in direct(steps)[step.name]]
    assert len(pairs) == len(drawn.arrows)
    for (source, target), path in zip(pairs, drawn.arrows, strict=True):
        x, y, *_, to_x, to_y = map(float, re.findall(r"[\d.]+", path))
        assert (x, y) == (by_name[source].left + form.box_width, by_name[source].middle)
        assert 0 < by_name[target].left - to_x < 5 and to_y == by_name[target].middle


def test_arrows_say_nothing_twice():
    steps = steps_of(("joint", "bone"), promotion=True)
    before = direct(steps)
    assert before["ensemble_modalities"] == ("evaluate_modality-joint", "evaluate_modality-bone")
    assert before["promote_model"] == ("ensemble_modalities",)
    assert before["train_modality-bone"] == ("transform_sequences",)


def test_the_picture_in_the_documentation_shows_every_step():
    text = (Path(__file__).parents[2] / "docs/images/dag.svg").read_text(encoding="utf-8")
    for step in steps_of(MODALITIES, promotion=True):
        assert f">{step.component}<" in text
        assert step.modality is None or step.modality.replace("_", " ") in text
