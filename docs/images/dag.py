"""Draws dag.svg, the picture of the pipeline in the README: ``python docs/images/dag.py``.

The colours follow the reader's light or dark scheme.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 960, 486
STYLE = """
  text { font-family: -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2933; }
  .step { fill: #ffffff; stroke: #3b6fb6; stroke-width: 1.6; }
  .gpu { stroke: #b7791f; }
  .shadow { fill: #ffffff; stroke: #b7791f; stroke-opacity: 0.45; }
  .shadow.cpu { stroke: #3b6fb6; }
  .outside { fill: #eef2f7; stroke: #8795a8; stroke-width: 1.2; }
  .loop { fill: #f6f8fb; stroke: #8795a8; stroke-width: 1.2; stroke-dasharray: 5 4; }
  .name { font-size: 14px; font-weight: 600; }
  .note { font-size: 11.5px; fill: #5b6b7d; }
  .artifact { font-size: 11.5px; font-style: italic; fill: #3d4d5f; }
  .arrow { fill: none; stroke: #5b6b7d; stroke-width: 1.6; marker-end: url(#head); }
  .head { fill: #5b6b7d; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e9f0; }
    .step, .shadow { fill: #1b2430; }
    .step { stroke: #6ea8fe; } .step.gpu { stroke: #e0a94a; }
    .shadow { stroke: #e0a94a; } .shadow.cpu { stroke: #6ea8fe; }
    .outside { fill: #2a3442; stroke: #7b8898; }
    .loop { fill: #141b24; stroke: #7b8898; }
    .note { fill: #a3b1c2; } .artifact { fill: #c3cfdd; }
    .arrow { stroke: #a3b1c2; } .head { fill: #a3b1c2; }
  }
"""


@dataclass(frozen=True)
class Box:
    """A step or something outside the pipeline: centre, size and two lines of text."""

    name: str
    note: str
    x: float
    y: float
    width: float = 184
    height: float = 58
    style: str = "step"

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2

    def svg(self) -> str:
        return (
            rectangle(self.left, self.top, self.width, self.height, self.style)
            + text(self.x, self.y - 4, self.name, "name")
            + text(self.x, self.y + 16, self.note, "note")
        )

    def stack(self, style: str) -> str:
        """Shadows behind the box: there are several of it."""
        return "".join(
            rectangle(self.left + offset, self.top - offset, self.width, self.height, style)
            for offset in (15, 10, 5)
        )


def rectangle(x: float, y: float, width: float, height: float, style: str) -> str:
    """A rectangle with round corners; ``x`` and ``y`` are its upper left corner."""
    return f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}" rx="9"/>\n'


def text(x: float, y: float, content: str, style: str, anchor: str = "middle") -> str:
    """A line of text at its baseline."""
    return (
        f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(content)}</text>\n'
    )


def arrow(*points: tuple[float, float]) -> str:
    """A line through the points with a head at the last."""
    path = " L ".join(f"{x} {y}" for x, y in points)
    return f'<path class="arrow" d="M {path}"/>\n'


def across(source: Box, target: Box, artifact: str = "", gap: float = 0) -> str:
    """An arrow to the right, the artifact's name above it; ``gap`` passes the source's shadows."""
    start, end = source.right + gap, target.left - 3
    label = text((start + end) / 2, source.y - 9, artifact, "artifact") if artifact else ""
    return arrow((start, source.y), (end, target.y)) + label


def preparation() -> str:
    """The upper two rows: from raw recordings to the sequence store."""
    raw = Box("raw recordings", "zip or folder", 86, 60, width=132, style="outside")
    fingerprint = Box("fingerprint_data", "never cached", 306, 60)
    extract = Box("extract_raw_skeletons", "reads, quarantines", 106, 178)
    denoise = Box("denoise_skeletons", "one or two actors", 418, 178)
    transform = Box("transform_sequences", "centres, splits", 748, 178)
    middle = (fingerprint.bottom + extract.top) / 2
    return "".join(
        [
            raw.svg(),
            fingerprint.svg(),
            extract.svg(),
            denoise.svg(),
            transform.svg(),
            across(raw, fingerprint),
            arrow((raw.x, raw.bottom), (raw.x, extract.top - 3)),
            arrow(
                (fingerprint.x, fingerprint.bottom),
                (fingerprint.x, middle),
                (extract.x + 30, middle),
                (extract.x + 30, extract.top - 3),
            ),
            text(fingerprint.x - 86, middle - 7, "data fingerprint", "artifact"),
            across(extract, denoise, "raw bodies"),
            across(denoise, transform, "denoised sequences"),
            text(transform.x + 10, 228, "sequence store", "artifact", anchor="start"),
        ]
    )


def modalities() -> str:
    """The lower rows: the loop over modalities, the ensemble, the promotion and what they make."""
    train = Box("train_modality", "GPU where there is one", 150, 350, style="step gpu")
    evaluate = Box("evaluate_modality", "logits of every sample", 414, 350)
    ensemble = Box("ensemble_modalities", "weighted sum", 660, 350, width=168)
    report = Box("report", "one HTML file", 660, 442, width=112, style="outside")
    promote = Box("promote_model", "if better; never cached", 864, 350, width=168)
    champion = Box("champion", "numbered, immutable", 864, 442, width=150, style="outside")
    return "".join(
        [
            rectangle(14, 250, 526, 154, "loop"),
            '<path class="arrow" d="M 748 207 L 748 272 L 543 272"/>\n',
            text(32, 274, "for each of joint, bone, joint motion, bone motion", "note", "start"),
            train.stack("shadow"),
            evaluate.stack("shadow cpu"),
            train.svg(),
            evaluate.svg(),
            ensemble.svg(),
            report.svg(),
            across(train, evaluate, "model", gap=15),
            promote.svg(),
            champion.svg(),
            across(evaluate, ensemble, gap=15),
            text(556, ensemble.y - 9, "scores", "artifact"),
            across(ensemble, promote),
            arrow((ensemble.x, ensemble.bottom), (report.x, report.top - 3)),
            arrow((promote.x, promote.bottom), (champion.x, champion.top - 3)),
        ]
    )


def draw() -> str:
    """The whole picture as SVG text."""
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="head" d="M 0 0 L 8 4 L 0 8 z"/></marker>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="The steps of the pipeline and the artifacts between them">\n'
        f"<style>{STYLE}</style>\n<defs>{head}</defs>\n{preparation()}{modalities()}</svg>\n"
    )


if __name__ == "__main__":
    Path(__file__).with_name("dag.svg").write_text(draw(), encoding="utf-8")
