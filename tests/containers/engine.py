"""A Docker engine for the tests: the one that runs here, or one of our own that leaves nothing.

Our own one needs root and Debian. It has no registry to ask, so it gets its base image from
debootstrap, and the builds get the packages from a server of this process.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BASE_IMAGE = "python:3.11-slim"
PACKAGES = ("docker.io", "debootstrap")
DEBIAN = "bookworm"
_LEFT_OUT = (  # of the base image: what debootstrap took from this machine, and what nobody needs
    *("etc/apt", "etc/resolv.conf", "etc/hostname"),
    *("var/cache/apt", "var/lib/apt/lists", "var/log"),
)


def run(*command: str | Path, **options: Any) -> str:
    """The standard output of a command; its error output is in the error when it fails."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options,
    )  # fmt: skip
    if done.returncode:
        shown = " ".join(map(str, command))
        raise RuntimeError(f"{shown} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return str(done.stdout)


def answers() -> bool:
    """Whether an engine runs where ``DOCKER_HOST`` says, or in the usual place."""
    docker = shutil.which("docker")
    asked = [docker, "version", "--format", "{{.Server.Version}}"]
    return docker is not None and subprocess.run(asked, capture_output=True).returncode == 0  # noqa: PLW1510


def docker_command() -> str:
    """A docker command that builds with BuildKit, which build secrets need."""
    candidates = [shutil.which("docker"), "/usr/bin/docker"]
    for candidate in candidates:
        if candidate is None or not Path(candidate).exists():
            continue
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        with contextlib.suppress(RuntimeError):
            if "--secret" in run(candidate, "build", "--help", env=environment):
                return candidate
    raise RuntimeError(f"none of {candidates} builds with BuildKit")


def install_packages() -> None:
    """Install what our own engine needs, where it is missing.

    Raises:
        RuntimeError: If that is impossible here.
    """
    if all(map(shutil.which, ("dockerd", "debootstrap"))):
        return
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeError(
            "container tests need a running Docker engine, or root and apt-get to install one"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", env=environment)
    run("apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES, env=environment)


@contextlib.contextmanager
def own_engine() -> Iterator[str]:
    """An engine in a temporary folder, as the value of ``DOCKER_HOST``; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="frhead-docker-"))  # a short path, for its socket
    host = f"unix://{folder}/docker.sock"
    command = [
        *("setpriv", "--pdeathsig", "TERM"),  # it ends with this process, however that ends
        *("dockerd", "--host", host, "--pidfile", f"{folder}/docker.pid"),
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"),
        *("--iptables=false", "--ip6tables=false", "--bridge=none"),
    ]
    try:
        with (folder / "log").open("wb") as log:
            engine = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                wait_for(lambda: engine.poll() is None and engine_answers(host), folder / "log")
                yield host
            finally:
                engine.terminate()
                engine.wait(60)
    finally:
        unmount(folder)
        shutil.rmtree(folder)


def engine_answers(host: str) -> bool:
    with contextlib.suppress(RuntimeError):
        return bool(run("docker", "--host", host, "info", "--format", "{{.ServerVersion}}"))
    return False


def wait_for(condition: Callable[[], bool], log: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"dockerd does not answer:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


def unmount(folder: Path) -> None:
    """Whatever is still mounted below a folder, the last one first."""
    lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    places = [line.split()[1] for line in lines]
    for place in reversed([place for place in places if place.startswith(f"{folder}/")]):
        run("umount", place)


def make_base_image(docker: str) -> None:
    """Debian with Python, from the mirror that this machine installs from."""
    form = "$(CREATED_BY) $(RELEASE) $(ORIGIN) $(REPO_URI)"
    targets = [
        line.split() for line in run("apt-get", "indextargets", "--format", form).split("\n")
    ]
    mirrors = [target[3] for target in targets if target[:3] == ["Packages", DEBIAN, "Debian"]]
    if not mirrors:
        raise RuntimeError(f"apt has no source of Debian {DEBIAN} to make a base image from")
    folder = Path(tempfile.mkdtemp(prefix="frhead-base-"))
    try:
        system = folder / "system"
        include = "--include=python3,python3-venv"
        run("debootstrap", "--variant=minbase", include, DEBIAN, system, mirrors[0])
        left_out = [f"--exclude=./{path}" for path in _LEFT_OUT]
        run("tar", "-C", system, *left_out, "-cf", folder / "base.tar", ".")
        run(docker, "import", folder / "base.tar", BASE_IMAGE)
    finally:
        unmount(folder)
        shutil.rmtree(folder)


@contextlib.contextmanager
def package_server(wheels: Future[Path]) -> Iterator[Path]:
    """Serves a folder of packages on this machine; yields the pip.conf that uses it alone."""
    handler = functools.partial(_QuietHandler, directory=str(wheels.result()))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        configuration = wheels.result() / "pip.conf"
        address = f"http://127.0.0.1:{server.server_port}/"
        configuration.write_text(f"[global]\nno-index = true\nfind-links = {address}\n")
        try:
            yield configuration
        finally:
            server.shutdown()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def download_packages(folder: Path) -> Path:
    """All packages of the images, found where this machine's pip finds them."""
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder]
    download += ["--python-version", "3.11", "--only-binary", ":all:"]
    constraints = ROOT / "constraints.txt"
    torch = next(
        line for line in constraints.read_text().splitlines() if line.startswith("torch==")
    )
    needed = [torch, *requirements(), *requirements("storage", "training", "pipeline", "console")]
    # Its maker publishes the source alone, and a build without network can make no package of it.
    source_only = [line for line in requirements("pipeline") if line.startswith("kfp-server-api")]
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    run(*wheel, "--constraint", constraints, *source_only)
    run(*download, "--find-links", folder, "--constraint", constraints, *needed)
    run(*download, "--no-deps", *requirements("executor"))
    return folder


def requirements(*extras: str) -> list[str]:
    script = ROOT / "images/requirements.py"
    return run(sys.executable, script, ROOT / "pyproject.toml", *extras).splitlines()


def build_images(names: Sequence[str], own: bool) -> dict[str, str]:
    """Build images; their names, as ``frhead run`` expects them."""
    docker = docker_command()
    packages = Path(tempfile.mkdtemp(prefix="frhead-packages-"))
    script = [sys.executable, ROOT / "images/build.py", "--docker", docker, "--network", "host"]
    try:
        with ThreadPoolExecutor() as pool:
            wheels = pool.submit(download_packages, packages)
            if own:
                make_base_image(docker)
            with package_server(wheels) as configuration:
                options = ["--pip-configuration", configuration]
                return {name: run(*script, name, *options).strip() for name in names}
    finally:
        shutil.rmtree(packages)
