"""Charts as numbers: everything lies within the axes, and the marks are round."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline.console.line_chart import epoch_chart

values = st.floats(-1e6, 1e6) | st.just(float("nan")) | st.none()


@given(st.lists(st.tuples(values, values), max_size=30))
def test_all_points_lie_within_the_axes_in_the_order_of_epochs(rows):
    history = [
        {"epoch": epoch, "loss": loss, "train_loss": training}
        for epoch, (loss, training) in enumerate(rows, 1)
    ]
    chart = epoch_chart({"joint": history}, "loss")
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
