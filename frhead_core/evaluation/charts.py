"""Charts as SVG text for a page: its colours follow the page, and equal input gives equal text."""

from __future__ import annotations

import html
import io
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from frhead_core.config import Modality

# Matplotlib wants real colours. These stand for the page's own and are replaced at the end, so
# that a chart is readable on a light and on a dark page.
_COLOURS = {
    "text": "#000001",
    "line": "#000002",
    "joint": "#000003",
    "bone": "#000004",
    "joint_motion": "#000005",
    "bone_motion": "#000006",
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def curves(histories: Mapping[Modality, Sequence[Mapping[str, Any]]], key: str, title: str) -> str:
    """Training (dashed) and evaluation (solid) figures by epoch, a colour a modality.

    Args:
        histories: Rows of ``history.jsonl`` by modality.
        key: The figure; ``train_<key>`` is the one measured in training.
        title: What the vertical axis shows.

    Returns:
        An ``<svg>`` element.
    """
    with matplotlib.rc_context(_style(key)):
        figure = Figure(figsize=(4.4, 3.0), layout="constrained")
        axes = figure.add_subplot()
        for modality, rows in histories.items():
            for name, line, width in ((f"train_{key}", (0, (4, 3)), 1.2), (key, "solid", 1.8)):
                points = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None]
                if points:
                    epochs, values = zip(*points, strict=True)
                    marker = "o" if len(points) == 1 else None
                    axes.plot(
                        epochs,
                        values,
                        linestyle=line,
                        linewidth=width,
                        marker=marker,
                        markersize=4,
                        color=_COLOURS[modality],
                    )
        _dress(axes, title)
        return _svg(figure, f"{title} by epoch: " + ", ".join(histories).replace("_", " "))


def dots(
    rows: Sequence[tuple[str, Sequence[float]]], title: str, reference: float | None = None
) -> str:
    """Measurements as dots in a line for each thing measured, with mean and deviation.

    Args:
        rows: Names from top to bottom, with their measurements; a row may have none.
        title: What the horizontal axis shows; no two charts of a page have the same.
        reference: Drawn as a line from top to bottom.

    Returns:
        An ``<svg>`` element.
    """
    with matplotlib.rc_context(_style(title)):
        figure = Figure(figsize=(6.4, 0.9 + 0.32 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        if reference is not None:
            axes.axvline(reference, color=_COLOURS["bone"], linewidth=1, linestyle=(0, (4, 3)))
        for place, (_, values) in enumerate(rows):
            if values:
                _draw_spread(axes, place, values)
        _dress(axes, "")
        axes.set_xlabel(title, color=_COLOURS["text"])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        return _svg(figure, f"{title}: " + ", ".join(name for name, _ in rows))


def _draw_spread(axes: Any, place: int, values: Sequence[float]) -> None:
    mean = statistics.fmean(values)
    if len(values) > 1:
        deviation = statistics.stdev(values)
        ends = (mean - deviation, mean + deviation)
        axes.plot(ends, (place, place), color=_COLOURS["line"], linewidth=6)
        axes.plot((mean, mean), (place - 0.25, place + 0.25), color=_COLOURS["text"], linewidth=1.8)
    axes.plot(
        values,
        [place] * len(values),
        linestyle="none",
        marker="o",
        markersize=5,
        color=_COLOURS["joint"],
    )


def _style(salt: str) -> dict[Any, Any]:
    """Settings of a chart; equal salts give equal ids."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "text.parse_math": False,
        "font.size": 10,
        "axes.linewidth": 0.8,
    }


def _dress(axes: Any, title: str) -> None:
    axes.set_xlabel("epoch", color=_COLOURS["text"])
    axes.set_ylabel(title, color=_COLOURS["text"])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.tick_params(colors=_COLOURS["text"], labelcolor=_COLOURS["text"])
    axes.grid(True, color=_COLOURS["line"], linewidth=0.6)
    axes.set_facecolor("none")
    for place, spine in axes.spines.items():
        spine.set_visible(place in ("left", "bottom"))
        spine.set_color(_COLOURS["line"])


def _svg(figure: Figure, label: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Inside HTML the name spaces are understood, and numbered ids would occur twice on the page.
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", text)
    text = re.sub(r"xlink:href", "href", text)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("'DejaVu Sans', 'Bitstream Vera Sans'", "system-ui")
    for name, colour in _COLOURS.items():
        text = text.replace(colour, f"var(--{name.replace('_', '-')})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)
