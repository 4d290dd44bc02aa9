"""A stand-in for the Hugging Face Hub: the part of its HTTP interface that is asked for here.

It is not the Hub. It keeps the files of one repository in memory and answers as the client of the
version in constraints.txt expects; what the real Hub checks beyond that it does not know.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


class StandInHub:
    """One repository, and what was asked for.

    Attributes:
        files: Contents by name; None until a repository is made.
        private: Whether it was made so.
        tokens: What came as ``Authorization``.
        fetched: Names of files whose content was sent.
    """

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.files: dict[str, bytes] | None = None
        self.private: bool | None = None
        self.tokens: set[str | None] = set()
        self.fetched: list[str] = []
        self.endpoint = ""

    def post(self, path: str, body: bytes) -> Any:
        """What is answered to a POST; None for what is not there."""
        if path == "/api/repos/create":
            content = json.loads(body)
            self.private = content.get("private", content.get("visibility") == "private")
            self.files = self.files or {".gitattributes": b""}
            return {"url": f"{self.endpoint}/{self.repository}", "name": self.repository}
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if self.files is None or not path.startswith(f"/api/models/{self.repository}/"):
            return None
        if "/preupload/" in path:
            return {
                "files": [
                    {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for each in json.loads(body)["files"]
                ]
            }
        if "/commit/" in path:
            for line in body.splitlines():
                self._change(**json.loads(line))
            address = f"{self.endpoint}/{self.repository}/commit/{COMMIT}"
            return {"success": True, "commitOid": COMMIT, "commitUrl": address}
        return None

    def _change(self, key: str, value: dict[str, Any]) -> None:
        assert self.files is not None
        if key == "file":
            assert value["encoding"] == "base64"
            self.files[value["path"]] = base64.b64decode(value["content"])
        elif key == "deletedFile":
            del self.files[value["path"]]
        else:
            assert key == "header"

    def get(self, path: str) -> Any:
        """What is answered to a GET of the interface; None for what is not there."""
        if self.files is None or not path.startswith(f"/api/models/{self.repository}"):
            return None
        if "/tree/" in path:
            return [
                {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}
                for name, content in self.files.items()
            ]
        siblings = [{"rfilename": name} for name in self.files]
        return {"id": self.repository, "sha": COMMIT, "siblings": siblings, "tags": []}

    def file(self, path: str) -> bytes | None:
        """Content of the file at an address, which must name the commit that was looked at."""
        name = path.removeprefix(f"/{self.repository}/resolve/{COMMIT}/")
        return None if self.files is None else self.files.get(name)


@contextmanager
def serving(hub: StandInHub) -> Iterator[None]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self._json(hub.post(self._path(), self.rfile.read(length)))

        def do_GET(self) -> None:
            path = self._path()
            content = hub.file(path) if "/resolve/" in path else None
            if content is None:
                self._json(hub.get(path))
                return
            if self.command == "GET":
                hub.fetched.append(path.rpartition("/")[2])
            self._send(200, content, "application/octet-stream")

        do_HEAD = do_GET  # noqa: N815

        def _path(self) -> str:
            hub.tokens.add(self.headers.get("Authorization"))
            return unquote(urlsplit(self.path).path)

        def _json(self, answer: Any) -> None:
            status = 404 if answer is None else 200
            told = answer if answer is not None else {"error": "Repository not found"}
            self._send(status, json.dumps(told).encode(), "application/json")

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{_oid(content)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
