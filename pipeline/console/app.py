"""The web console as an application: its parts put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from frhead_core import __version__
from pipeline.console.database import open_database
from pipeline.console.failures import handle_failures
from pipeline.console.headers import RequestLimit, SecurityHeaders
from pipeline.console.new_run_data import Uploads
from pipeline.console.new_run_start import RunStarter
from pipeline.console.pages import STATIC
from pipeline.console.prefix import UnderPrefix
from pipeline.console.queue_driver import QueueDriver
from pipeline.console.queue_entries import Queue
from pipeline.console.routes import (
    api,
    champions,
    champions_api,
    cluster,
    cluster_api,
    compare,
    health,
    login,
    new_run,
    new_run_api,
    only_cluster,
    queue,
    queue_api,
    results,
    results_api,
    run,
    run_api,
    runs,
    schedules,
    schedules_api,
)
from pipeline.console.security import check_request
from pipeline.console.session_key import session_key
from pipeline.console.settings import ConsoleSettings
from pipeline.local_runs import LocalRuns

_ROUTERS = (
    health.router,
    login.router,
    cluster.router,
    schedules.router,
    champions.router,
    cluster_api.router,
    schedules_api.router,
    champions_api.router,
)
_ROUTERS_OF_LOCAL_RUNS = (
    runs.router,
    compare.pages,
    new_run.router,
    queue.router,
    run.router,
    results.router,
    api.router,
    compare.api,
    run_api.router,
    new_run_api.router,
    queue_api.router,
    results_api.router,
)
# Without a token the browser's idea of this machine's name is the protection: a page of another
# site, whose name was made to point here, must not be answered.
_OWN_NAMES = ["localhost", "127.0.0.1", "[::1]"]


def create_app(settings: ConsoleSettings) -> FastAPI:
    """The console over a work directory.

    Raises:
        InputError: If the work directory cannot be written.
    """
    key = session_key(settings.own_folder)
    app = FastAPI(
        title="FR-Head console",
        version=__version__,
        dependencies=[Depends(check_request)],
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # these pages load scripts from other hosts
        redoc_url=None,
        lifespan=_with_queue,
    )
    app.state.settings = settings
    app.state.runs = LocalRuns(settings.work_directory.resolve())
    if not settings.only_cluster:
        _add_queue(app, settings)
    local = (only_cluster.router,) if settings.only_cluster else _ROUTERS_OF_LOCAL_RUNS
    for router in (*_ROUTERS, *local):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    handle_failures(app)
    # The last one added is the first to see a request.
    app.add_middleware(
        SessionMiddleware,
        secret_key=key,
        session_cookie="frhead_session",
        path=settings.prefix or "/",
        same_site="strict",
    )
    app.add_middleware(RequestLimit, limit=settings.upload_limit)
    if settings.token is None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=_OWN_NAMES)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(UnderPrefix, prefix=settings.prefix)
    return app


def _add_queue(app: FastAPI, settings: ConsoleSettings) -> None:
    work_directory, folder = settings.work_directory.resolve(), settings.own_folder.resolve()
    Uploads(folder).remove_leftovers()
    waiting = Queue(open_database(folder))
    app.state.queue_driver = QueueDriver(waiting, work_directory, folder, settings.concurrency)
    app.state.run_starter = RunStarter(waiting, work_directory, folder)


@asynccontextmanager
async def _with_queue(app: FastAPI) -> AsyncIterator[None]:
    """Look after the queue as long as the console serves."""
    driver: QueueDriver | None = getattr(app.state, "queue_driver", None)
    if driver is not None:
        driver.start()
    yield
    if driver is not None:
        driver.stop()
