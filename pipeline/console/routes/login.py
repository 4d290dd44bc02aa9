"""Showing the token, once for each browser."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.console.dependencies import CheckedForm
from pipeline.console.pages import page, to_page
from pipeline.console.security import log_in

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show(request: Request, next: str = "/") -> Response:
    """The form."""
    return page(request, "login.html", {"next": next, "mistake": ""})


@router.post("/login")
def take(request: Request, form: CheckedForm) -> Response:
    """Take the token and go on to the page that was asked for."""
    place = str(form.get("next", "/"))
    if not log_in(request, str(form.get("token", ""))):
        context = {"next": place, "mistake": "This is not the token."}
        return page(request, "login.html", context, 403)
    return to_page(request, _below(place))


@router.post("/logout")
def leave(request: Request, _form: CheckedForm) -> Response:
    """Forget the session."""
    request.session.clear()
    return to_page(request, "/login")


def _below(place: str) -> str:
    """The place, if it is a page of the console and not of another host."""
    own = place.startswith("/") and not place.startswith(("//", "/\\"))
    return place if own and place.isprintable() else "/"
