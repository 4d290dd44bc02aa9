"""Pages: templates that escape everything, and the few words and figures that they share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from frhead_core.config import recipe_to_yaml
from frhead_core.evaluation.tables import modality_text
from pipeline.console import security
from pipeline.console.dag_picture import BOX_HEIGHT
from pipeline.local_time import duration_text

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def page(
    request: Request, template: str, context: Mapping[str, Any], status_code: int = 200
) -> HTMLResponse:
    """A page or a part of one.

    Args:
        request: Whose session and prefix the page is for.
        template: Name of its template.
        context: What the template asks for; ``path``, ``url`` and ``csrf`` are always there.
        status_code: Of the answer.
    """
    shared = {
        "path": security.path_of(request),
        "url": lambda path: request.scope.get("root_path", "") + path,
        "csrf": security.csrf_token(request),
        "protected": request.app.state.settings.token is not None,
        "shows_local": not request.app.state.settings.only_cluster,
        "shows_cluster": request.app.state.settings.cluster is not None,
    }
    text = _ENVIRONMENT.get_template(template).render({**shared, **context})
    return HTMLResponse(text, status_code=status_code)


def to_page(request: Request, path: str) -> RedirectResponse:
    """Send the browser to another page of the console, as after a form that was taken."""
    return RedirectResponse(request.scope.get("root_path", "") + path, status_code=303)


def moment(time: datetime | None) -> str:
    """A time for people, in the time zone of this machine."""
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


_ENVIRONMENT.filters["moment"] = moment
_ENVIRONMENT.filters["modality_text"] = modality_text
_ENVIRONMENT.globals["duration"] = duration_text
_ENVIRONMENT.globals["recipe_to_yaml"] = recipe_to_yaml
_ENVIRONMENT.globals["box_height"] = BOX_HEIGHT
