"""A proxy on loopback that spoils chosen exchanges between a client and an S3 server.

It passes requests on one by one and keeps a list of them. A fault is looked up for each request:
the first one planned whose ``matches`` says yes is used up and happens.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = dict[str, str]


@dataclass
class Fault:
    """What goes wrong, with which requests, and how often.

    ``kind``: reset_before (the request never arrives), reset_after (it arrives, the answer does
    not), reset_within (half of the answer arrives), truncated (the connection is closed in an
    orderly way after half of it), status (``status`` and ``headers`` instead of an answer),
    damaged_request, damaged_answer (a byte of the body is another), slow (``seconds``), call
    (``action`` runs before the request is passed on).
    """

    kind: str
    matches: Callable[[str, str, Headers], bool] = lambda method, path, headers: True
    times: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    action: Callable[[], None] = lambda: None


class FaultyProxy:
    """Stands before the server at ``upstream``; its own address is ``address``."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def plan(self, kind: str, method: str = "", path: str = "", **more) -> None:
        """Plan a fault for requests of a method whose path and query hold a text."""

        def matches(asked: str, place: str, _headers: Headers) -> bool:
            return method in ("", asked) and path in place

        self.faults.append(Fault(kind, matches, **more))

    def fault_for(self, method: str, path: str, headers: Headers) -> Fault:
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.matches(method, path, headers):
                    fault.times -= 1
                    return fault
        return Fault("none")

    def count(self, method: str, path: str = "") -> int:
        """How many requests of a method there were whose path and query hold a text."""
        return sum(method == asked and path in place for asked, place, _ in self.requests)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = dict(self.headers.items())
        self.owner.requests.append((self.command, self.path, headers))
        fault = self.owner.fault_for(self.command, self.path, headers)
        if fault.kind == "reset_before":
            self._reset()
            return
        if fault.kind == "status":
            self._answer(fault.status, list(fault.headers.items()), b"out of order")
            return
        fault.action()
        time.sleep(fault.seconds)
        if fault.kind == "damaged_request":
            body = _damaged(body)
        status, answered, content = self._pass_on(body, headers)
        if fault.kind == "reset_after":
            self._reset()
        elif fault.kind == "damaged_answer":
            self._answer(status, answered, _damaged(content))
        elif fault.kind in ("truncated", "reset_within"):
            self._answer(status, answered, content, sent=len(content) // 2)
            if fault.kind == "reset_within":
                self._reset()
            self.close_connection = True
        else:
            self._answer(status, answered, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815

    def _pass_on(
        self, body: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.owner.upstream, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():  # Host as it was signed
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        content: bytes,
        sent: int | None = None,
    ) -> None:
        self.send_response_only(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        told = lengths[0] if self.command == "HEAD" and lengths else str(len(content))
        self.send_header("Content-Length", told)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:sent])
            self.wfile.flush()

    def _reset(self) -> None:
        """End the connection with a TCP reset instead of an orderly close."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _damaged(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body
