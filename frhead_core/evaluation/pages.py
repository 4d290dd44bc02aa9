"""Pages: one HTML file that needs nothing else, neither a network nor other files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from frhead_core.evaluation.tables import modality_text

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, context: Mapping[str, Any]) -> bytes:
    """A page; equal contexts give equal bytes, and whatever is not markup is escaped.

    Args:
        template: Name of its template.
        context: What the template asks for, but for ``style``, which all pages share.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["modality_text"] = modality_text
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(context, style=style).encode()
