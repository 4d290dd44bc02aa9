"""The steps of a run as boxes and arrows, placed for a template that draws them as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.console.dag_steps import DagStep, direct
from pipeline.console.step_facts import StepFacts
from pipeline.run_engine import ENDED, RunState, StepRecord

BOX_HEIGHT = 66
_ROW_GAP, _BAND_GAP, _MARGIN = 14, 40, 2


@dataclass(frozen=True)
class Format:
    """How wide a picture is: steps beside each other, and the space between them."""

    name: str
    columns: int
    box_width: float
    gap: float


WIDE = Format("wide", columns=4, box_width=188, gap=64)
NARROW = Format("narrow", columns=2, box_width=158, gap=22)


@dataclass(frozen=True)
class Box:
    """A step in the picture.

    Attributes:
        step: Which.
        state: How it is; ``not run`` once the run has ended without it.
        record: What its run says of it; None before it starts.
        share: How much of its present task is done, 0 to 1; None where that is not known.
        left: Of its left edge, in the picture's units.
        top: Of its upper edge.
    """

    step: DagStep
    state: RunState | str
    record: StepRecord | None
    share: float | None
    left: float
    top: float

    @property
    def middle(self) -> float:
        """Height of its centre."""
        return self.top + BOX_HEIGHT / 2


@dataclass(frozen=True)
class Picture:
    """All boxes, and the lines between them as SVG has them."""

    form: Format
    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    band: int
    column: int
    left: float
    top: float
    band_bottom: float


def picture(
    steps: Sequence[DagStep],
    records: Mapping[str, StepRecord],
    facts: Mapping[str, StepFacts],
    run_state: RunState,
    form: Format = WIDE,
) -> Picture:
    """Place the steps of a run: from left to right, and where the width ends from top to bottom.

    Args:
        steps: Each after those that it waits for.
        records: What the run says of its steps, by name.
        facts: What their files say, by name.
        run_state: How the run is.
        form: How wide the picture is.
    """
    before = direct(steps)
    places, height = _places(steps, before, form)
    boxes = tuple(
        Box(
            step=step,
            state=state_of(records.get(step.name), run_state),
            record=records.get(step.name),
            share=facts[step.name].share if step.name in facts else None,
            left=places[step.name].left,
            top=places[step.name].top,
        )
        for step in steps
    )
    arrows = tuple(
        _arrow(places[name], places[step.name], form)
        for step in steps
        for name in before[step.name]
    )
    width = form.columns * (form.box_width + form.gap)
    return Picture(form, width, height, boxes, arrows)


def state_of(record: StepRecord | None, run_state: RunState) -> RunState | str:
    """How a step is, also one that nothing is known of."""
    if record is not None:
        return record.state
    return "not run" if run_state in ENDED else "waiting"


def _places(
    steps: Sequence[DagStep], before: Mapping[str, Sequence[str]], form: Format
) -> tuple[dict[str, _Place], float]:
    levels: dict[str, int] = {}
    for step in steps:
        levels[step.name] = max((levels[name] + 1 for name in before[step.name]), default=0)
    by_level = [
        [name for name, level in levels.items() if level == each]
        for each in range(max(levels.values(), default=-1) + 1)
    ]
    places, top = {}, float(_MARGIN)
    for band, first in enumerate(range(0, len(by_level), form.columns)):
        columns = by_level[first : first + form.columns]
        most = max(map(len, columns))
        bottom = top + most * BOX_HEIGHT + (most - 1) * _ROW_GAP
        for column, names in enumerate(columns):
            left = form.gap / 2 + column * (form.box_width + form.gap)
            free = (most - len(names)) * (BOX_HEIGHT + _ROW_GAP) / 2
            for row, name in enumerate(names):
                upper = top + free + row * (BOX_HEIGHT + _ROW_GAP)
                places[name] = _Place(band, column, left, upper, bottom)
        top = bottom + _BAND_GAP
    return places, top - _BAND_GAP + _MARGIN


def _arrow(source: _Place, target: _Place, form: Format) -> str:
    start = source.left + form.box_width
    begin, end = source.top + BOX_HEIGHT / 2, target.top + BOX_HEIGHT / 2
    turn = target.left - form.gap / 2 + 1
    if source.band == target.band:
        points = [(start, begin), (turn, begin), (turn, end)]
    else:  # round the right end of one row, between the rows, to the left end of the next
        outside, between = start + form.gap / 2 - 1, source.band_bottom + _BAND_GAP / 2
        points = [
            (start, begin),
            (outside, begin),
            (outside, between),
            (turn, between),
            (turn, end),
        ]
    points.append((target.left - 2, end))
    corners = [points[0], *(point for last, point in pairwise(points) if point != last)]
    return "M " + " L ".join(f"{x:g} {y:g}" for x, y in corners)
