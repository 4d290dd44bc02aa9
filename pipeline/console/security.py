"""Who may ask: a token where other machines can, and nothing that another site's page sends.

A browser shows the token once, in a form, and from then on a signed session cookie; a program
shows it in the header ``Authorization: Bearer``. What changes something must come from the
console's own pages: the browser says from where (``Sec-Fetch-Site``, ``Origin``), and a form holds
a token that only these pages know.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request

from pipeline.console.settings import ConsoleSettings

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/login", "/healthz", "/readyz"})
CSRF_FIELD = "csrf"


class LoginRequiredError(Exception):
    """The page is only for those who have shown the token."""


async def check_request(request: Request) -> None:
    """A dependency of every route: refuse who may not ask, and what another site asks.

    Raises:
        LoginRequiredError: If a page is asked for without the token.
        HTTPException: If an API call comes without the token, or another site sent it.
    """
    settings: ConsoleSettings = request.app.state.settings
    path = path_of(request)
    if request.method not in _SAFE_METHODS and not is_same_origin(request):
        raise HTTPException(403, "Sent by a page of another site.")
    if settings.token is None or path in _OPEN_PATHS:
        return
    if request.session.get("token") == _mark(settings.token) or _shows_token(request, settings):
        return
    if path.startswith("/api/"):
        raise HTTPException(401, "Needs the token.", headers={"WWW-Authenticate": "Bearer"})
    raise LoginRequiredError


def path_of(request: Request) -> str:
    """The path below the prefix of a reverse proxy."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def is_same_origin(request: Request) -> bool:
    """Whether a browser sent this from the console's own pages; programs are no browsers."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def log_in(request: Request, token: str) -> bool:
    """Take the token that a form holds; whether it was right."""
    settings: ConsoleSettings = request.app.state.settings
    if settings.token is None or not _equal(token, settings.token):
        return False
    request.session["token"] = _mark(settings.token)
    return True


def csrf_token(request: Request) -> str:
    """The token for the forms of this session."""
    token: str = request.session.setdefault(CSRF_FIELD, secrets.token_urlsafe(24))
    return token


async def checked_form(request: Request) -> FormData:
    """A dependency: the fields of a form that a page of this session showed.

    Raises:
        HTTPException: If it holds another session's token, or none.
    """
    form = await request.form()
    check_csrf(request, form.get(CSRF_FIELD))
    return form


def check_csrf(request: Request, given: object) -> None:
    """Refuse a form that holds another session's token, or none.

    Raises:
        HTTPException: Then.
    """
    expected = request.session.get(CSRF_FIELD)
    if not isinstance(given, str) or expected is None or not _equal(given, expected):
        raise HTTPException(403, "The form is out of date: go back, reload the page, try again.")


def _shows_token(request: Request, settings: ConsoleSettings) -> bool:
    kind, _, shown = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and _equal(shown, settings.token or "")


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _mark(token: str) -> str:
    """What a session keeps of the token: it ends when another token is set."""
    return hmac.new(token.encode(), b"session", "sha256").hexdigest()
