"""What the console is told when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frhead_core.errors import InputError

if TYPE_CHECKING:
    from pipeline.console.cluster import Cluster

UPLOAD_LIMIT = 8 * 2**30
"""The largest request in bytes: raw data."""
FORM_LIMIT = 16 * 2**20
"""The same where nobody sends raw data."""
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class ConsoleSettings:
    """Settings of the web console.

    Attributes:
        work_directory: Whose runs are shown and started.
        host: Address to listen on; any but this machine's own needs a token.
        port: Port to listen on.
        token: What a browser or program has to show; None where only this machine can ask.
        prefix: Path under which a reverse proxy serves the console, like ``/frhead``.
        upload_limit: Largest request, in bytes.
        cluster: The Kubeflow Pipelines endpoint that is shown as well; None without one.
        only_cluster: Whether the runs of this machine are left out.
        champions: Where champions lie: a directory or a URI; empty if that is not known.
        concurrency: How many of the runs that were asked for here run at once.
    """

    work_directory: Path
    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = None
    prefix: str = ""
    upload_limit: int = UPLOAD_LIMIT
    cluster: Cluster | None = None
    only_cluster: bool = False
    champions: str = ""
    concurrency: int = 1

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise InputError(
                "anyone who reaches this address could start programs here",
                field="host",
                found=self.host,
                expected="127.0.0.1, or a token",
                hint="Put a token into the environment variable FRHEAD_CONSOLE_TOKEN",
            )
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise InputError(
                "is too short to be secret",
                field="token",
                found=f"{len(self.token)} characters",
                expected=f"at least {SHORTEST_TOKEN}",
            )
        if self.only_cluster and self.cluster is None:
            raise InputError(
                "there is none to show",
                field="--only-cluster",
                hint="Name one with --endpoint or --profile",
            )
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/")):
            raise InputError(
                "is no path prefix", field="prefix", found=self.prefix, expected="like /frhead"
            )

    @property
    def own_folder(self) -> Path:
        """Where the console keeps what is its own."""
        return self.work_directory / "console"


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
