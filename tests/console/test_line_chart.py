"""Charts as numbers: everything lies within the axes, and the marks are round."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.line_chart import epoch_chart

values = st.floats(-1e6, 1e6) | st.just(float("nan")) | st.none()


@given(st.lists(st.tuples(values, values), max_size=30), st.booleans())
def test_all_points_lie_within_the_axes_in_the_order_of_epochs(rows, logarithmic):
    history = [
        {"epoch": epoch, "loss": loss, "train_loss": training}
        for epoch, (loss, training) in enumerate(rows, 1)
    ]
    chart = epoch_chart({"joint": history}, "loss", may_be_logarithmic=logarithmic)
    known = [value for row in rows for value in row if value is not None and not math.isnan(value)]
    if chart is None:
        assert not known
        return
    assert sum(len(line.points) for line in chart.lines) == len(known)
    for line in chart.lines:
        across = [x for x, _ in line.points]
        assert across == sorted(across)
        for x, y in line.points:
            assert chart.left <= x <= chart.right + 1e-6
            assert chart.top - 1e-6 <= y <= chart.bottom + 1e-6
    assert [tick.place for tick in chart.upward] == sorted(
        (tick.place for tick in chart.upward), reverse=True
    )
    assert 2 <= len(chart.upward) <= 9
    assert len(chart.across) <= 10


def test_higher_is_further_up_and_marks_are_round():
    history = [{"epoch": epoch, "top1": 10.0 * epoch} for epoch in range(1, 10)]
    chart = epoch_chart({"bone": history}, "top1")
    (line,) = chart.lines
    assert line.kind == "evaluated"
    heights = [y for _, y in line.points]
    assert heights == sorted(heights, reverse=True)
    assert [tick.text for tick in chart.upward] == ["0", "20", "40", "60", "80", "100"]
    assert [tick.text for tick in chart.across][:2] == ["1", "2"]


def test_an_axis_is_logarithmic_where_one_loss_is_many_times_another_and_says_so():
    losses = [150.0, 30.0, 6.0, 1.2]
    history = [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(losses, 1)]
    chart = epoch_chart({"bone": history}, "loss", may_be_logarithmic=True)
    assert chart.logarithmic
    assert [tick.text for tick in chart.upward] == ["1", "10", "100", "1000"]
    heights = [y for _, y in chart.lines[0].points]
    assert len({round(below - above, 6) for above, below in pairwise(heights)}) == 1
    assert not epoch_chart({"bone": history[2:]}, "loss", may_be_logarithmic=True).logarithmic
    assert not epoch_chart({"bone": history}, "loss").logarithmic


def test_losses_of_batches_are_drawn_from_the_first_on():
    chart = epoch_chart({}, "loss", {"joint": [(0.1, 4.0), (0.5, 3.0), (2.5, 2.0)]})
    (line,) = chart.lines
    assert line.kind == "within"
    assert [x for x, _ in line.points][0::2] == [chart.left, chart.right]
    assert [tick.text for tick in chart.across] == ["1", "2"]
