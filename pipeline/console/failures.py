"""What goes wrong, as a page for people or as JSON for programs: the one place that says it."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from frhead_core.errors import FRHeadError
from pipeline.console.pages import page, to_page
from pipeline.console.security import LoginRequiredError, path_of
from pipeline.run_engine import NotThereError, UnavailableError


class NoSuchThingError(FRHeadError):
    """What was asked for is not there."""


def handle_failures(app: FastAPI) -> None:
    """Let the application answer each kind of error in one form."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        return _answer(request, error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(NoSuchThingError)
    async def _missing(request: Request, error: NoSuchThingError) -> Response:
        return _answer(request, 404, str(error))

    @app.exception_handler(NotThereError)
    async def _not_there(request: Request, error: NotThereError) -> Response:
        return _answer(request, 404, str(error))

    @app.exception_handler(UnavailableError)
    async def _unavailable(request: Request, error: UnavailableError) -> Response:
        return _answer(request, 503, str(error))

    @app.exception_handler(FRHeadError)
    async def _expected(request: Request, error: FRHeadError) -> Response:
        return _answer(request, 422, str(error))

    @app.exception_handler(LoginRequiredError)
    async def _login(request: Request, _error: LoginRequiredError) -> Response:
        return to_page(request, f"/login?next={quote(path_of(request))}")


def _answer(
    request: Request, status: int, text: str, headers: dict[str, str] | None = None
) -> Response:
    if path_of(request).startswith("/api/"):
        return JSONResponse({"detail": text}, status_code=status, headers=headers)
    title = HTTPStatus(status).phrase
    answer = page(request, "failure.html", {"title": title, "text": text}, status)
    answer.headers.update(headers or {})
    return answer
