"""Fixtures: a real Chromium, and a console that it can reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from filelock import FileLock
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from pipeline.console.app import create_app
from pipeline.console.settings import ConsoleSettings

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
Open = Callable[..., Page]


def chromium_path() -> str:
    """The system's Chromium, which is installed if need be and possible."""
    with FileLock(Path(tempfile.gettempdir()) / "frhead-chromium.lock"):
        if shutil.which("chromium") is None:
            if os.getuid() != 0 or shutil.which("apt-get") is None:
                pytest.fail("browser tests need chromium, or root and apt-get to install it")
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for command in (("update",), ("install", "--yes", "chromium")):
                subprocess.run(["apt-get", *command], check=True, env=environment)
    path = shutil.which("chromium")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a console over a work directory on a free port and says where it is."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(work_directory: Path, **settings: object) -> str:
        app = create_app(ConsoleSettings(work_directory=work_directory, **settings))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
        while not server.started:
            assert thread.is_alive(), "the console ended while it started"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Open]:
    """Opens pages, each in a new session; what a page complains of fails the test."""
    contexts, complaints = [], []

    def start(**settings: object) -> Page:
        context = chromium.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: _complains(line) and complaints.append(line.text))
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


def _complains(line: ConsoleMessage) -> bool:
    """Whether the browser complains; that a form had a mistake in it is no complaint."""
    return line.type == "error" and "status of 422" not in line.text


def picture(page: Page) -> str:
    """What the canvas of the page shows."""
    return str(page.locator("canvas").evaluate("canvas => canvas.toDataURL()"))


def watch_a_confused_sample(page: Page) -> None:
    """Go from a run's results to a sample of the most confused pair, and see its skeleton play."""
    page.locator("a.pair").first.click()
    expect(page.get_by_text("False negatives of").first).to_be_visible()
    page.locator(".group a").first.click()
    frame = page.locator(".controls .place")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()  # it plays on its own
    before, first = picture(page), frame.inner_text()
    expect(frame).not_to_have_text(first)
    assert picture(page) != before
