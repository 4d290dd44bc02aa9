"""Fixtures: a real S3 server (OpenStack Swift from PyPI), a bucket, and a proxy that spoils things.

The server has an environment of its own, made once and kept beside the checkout's other caches.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from minio import Minio

from components.object_storage.client import ObjectStore, Patience
from components.object_storage.location import Location
from tests.s3_proxy import FaultyProxy

VERSION = "2.38.3"
ACCESS_KEY, SECRET_KEY = "test:tester", "testing-secret"
VARIABLES = (
    "S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "S3_SECRET_DIRECTORY",
)  # fmt: skip
ROOT = Path(__file__).parents[1]
QUICK = Patience(
    attempts=4, backoff=0.02, longest_wait=1.0, connect_timeout=2.0, read_timeout=5.0, settling=0.5
)


def server_python() -> Path:
    """The Python of the server's environment, which is made if need be."""
    environment = ROOT / ".venv-s3"
    python = environment / "bin" / "python"
    complete = environment / f".swift-{VERSION}"
    with FileLock(ROOT / ".venv-s3.lock"):
        if not complete.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
            install = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
            subprocess.run(
                [*install, "--only-binary=:all:", f"swift=={VERSION}", "setuptools<81"],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            complete.touch()
    return python


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a running server."""
    folder = tmp_path_factory.mktemp("s3")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [server_python(), "-W", "ignore", ROOT / "tests/s3_server.py", folder / "data"],
            stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address, f"the S3 server did not start: {(folder / 'log').read_text()}"
        yield address
    finally:
        server.terminate()
        server.wait(20)


def use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let the environment name a server and its credentials, and nothing else."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("S3_ENDPOINT", f"http://{address}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Location:
    """A new bucket; the environment names its server."""
    use(monkeypatch, s3_address)
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    Minio(s3_address, ACCESS_KEY, SECRET_KEY, secure=False, region="us-east-1").make_bucket(name)
    return Location(name)


@pytest.fixture
def proxy(
    bucket: Location, s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyProxy]:
    """A proxy before the server; the environment names it instead."""
    faulty = FaultyProxy(s3_address)
    use(monkeypatch, faulty.address)
    yield faulty
    faulty.close()


@pytest.fixture
def store(bucket: Location) -> ObjectStore:
    """The server, straight."""
    return ObjectStore(patience=QUICK)


@pytest.fixture
def faulty_store(proxy: FaultyProxy) -> ObjectStore:
    """The server through the proxy."""
    return ObjectStore(patience=QUICK)
