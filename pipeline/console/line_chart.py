"""Line charts as numbers for a template: drawn by the server, coloured by the page's own style."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Kind = Literal["within", "training", "evaluated"]
Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 440, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 34
_TICKS = 7
_MANY_TIMES = 20.0
_SMALLEST = 1e-9
Name = TypeVar("Name", bound=str)


@dataclass(frozen=True)
class Line:
    """A line of a chart: whose it is, on what it was measured, and its points.

    ``within`` is what single batches gave, within an epoch.
    """

    name: str
    kind: Kind
    points: tuple[tuple[float, float], ...]

    @property
    def path(self) -> str:
        """As SVG has it."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class Tick:
    """A mark at an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class LineChart:
    """A chart of ``WIDTH`` by ``HEIGHT`` units; ``left`` and ``bottom`` are where its axes are."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    upward: tuple[Tick, ...]
    logarithmic: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def epoch_chart(
    histories: Mapping[Name, Sequence[Mapping[str, float]]],
    key: str,
    within: Mapping[Name, Points] | None = None,
    *,
    may_be_logarithmic: bool = False,
) -> LineChart | None:
    """A figure by epoch, and the same figure measured in training; None where there is none.

    Args:
        histories: Rows of ``history.jsonl`` by modality, or whose ever they are.
        key: The figure; ``train_<key>`` is the one measured in training.
        within: The figure of single batches, by how many epochs were done; it is drawn first.
        may_be_logarithmic: Whether the upward axis is, where one value is many times another.
    """
    fields: tuple[tuple[Kind, str], ...] = (("training", f"train_{key}"), ("evaluated", key))
    series: dict[tuple[Name, Kind], Points] = {
        (name, "within"): points for name, points in (within or {}).items() if points
    }
    series |= {
        (name, kind): points
        for name, rows in histories.items()
        for kind, field in fields
        if (points := _points(rows, field))
    }
    everything = [point for points in series.values() for point in points]
    if not everything:
        return None
    epochs, values = zip(*everything, strict=True)
    logarithmic = may_be_logarithmic and _SMALLEST <= min(values) < max(values) / _MANY_TIMES
    steps = (_powers if logarithmic else _steps)(min(values), max(values))
    scale: Callable[[float], float] = math.log10 if logarithmic else float
    low, high = scale(steps[0]), scale(steps[-1])
    first: float = min(1.0, *epochs)
    last: float = max(2.0, *epochs)

    def across(epoch: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (epoch - first) / (last - first)

    def upward(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (scale(value) - low) / (high - low)

    return LineChart(
        lines=tuple(
            Line(name, kind, tuple((across(epoch), upward(value)) for epoch, value in points))
            for (name, kind), points in series.items()
        ),
        across=tuple(Tick(across(epoch), f"{epoch:g}") for epoch in _epochs(int(last))),
        upward=tuple(Tick(upward(step), f"{step:g}") for step in steps),
        logarithmic=logarithmic,
    )


def _points(rows: Sequence[Mapping[str, float]], field: str) -> list[tuple[float, float]]:
    found = ((row.get("epoch"), row.get(field)) for row in rows)
    return [
        (float(epoch), float(value))
        for epoch, value in found
        if isinstance(epoch, int | float) and isinstance(value, int | float)
        if math.isfinite(value)
    ]


def _steps(low: float, high: float) -> list[float]:
    """Round values from below ``low`` to above ``high``, at distances of 1, 2 or 5 times 10^n."""
    wish = max(high - low, abs(high) / 100, 1e-9) / (_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(wish))
    distance = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wish)
    first, last = math.floor(low / distance), math.ceil(high / distance)
    return [round(place * distance, 12) for place in range(first, max(last, first + 1) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """Round values from below ``low`` to above ``high``, each several times the one before."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first > 2:
        distance = math.ceil((last - first) / (_TICKS - 1))
        return [10.0**power for power in range(first, last + distance, distance)]
    marks = [factor * 10.0**power for power in range(first, last) for factor in (1, 2, 5)]
    marks.append(10.0**last)
    begin = max(place for place, mark in enumerate(marks) if mark <= low or place == 0)
    end = min(place for place, mark in enumerate(marks) if mark >= high or mark == marks[-1])
    return marks[begin : end + 1]


def _epochs(last: int) -> list[int]:
    distance = max(1, math.ceil(last / 8))
    return [1, *range(distance if distance > 1 else 2, last + 1, distance)]
