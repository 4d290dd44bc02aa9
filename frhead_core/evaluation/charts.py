"""Charts as SVG text for a page: its colours follow the page, and equal input gives equal text."""

from __future__ import annotations

import io
import re
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
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "font.size": 10,
        "axes.linewidth": 0.8,
    }
    with matplotlib.rc_context(style):
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
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
