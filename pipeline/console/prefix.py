"""The console below a path of a reverse proxy."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class UnderPrefix:
    """Tells the application its prefix, whether the proxy leaves it in the path or takes it off."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._prefix and scope["type"] == "http":
            path: str = scope["path"]
            whole = path if path.startswith(f"{self._prefix}/") else self._prefix + path
            scope = {**scope, "root_path": self._prefix, "path": whole}
        await self._app(scope, receive, send)
