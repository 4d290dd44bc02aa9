"""Take the pictures of the console again: ``python docs/images/console.py [FOLDER]``.

They show two real runs on synthetic recordings, which are made in FOLDER unless they are there: a
quarter of an hour on two cores. Paths in the pictures are those of FOLDER. Schedules are those of
the tests' stand-in for a cluster.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the tests are not installed

from pipeline.console.app import create_app  # noqa: E402
from pipeline.console.cluster import Cluster  # noqa: E402
from pipeline.console.settings import ConsoleSettings  # noqa: E402
from pipeline.kubeflow_api import Endpoint, KubeflowApi  # noqa: E402
from tests.console.browser import FLAGS, chromium_path  # noqa: E402
from tests.kfp_stand_in import serving  # noqa: E402

PICTURES = Path(__file__).with_name("console")
COLOURS = 128
WIDE, NARROW = {"width": 1120, "height": 800}, {"width": 390, "height": 844}
TALLEST = 2000
FRAME = 14
"""Of the skeleton, where its action has begun."""
RUNS = {"demo-with-head": [], "demo-without-head": ["--set", "head.enabled=false"]}
SCHEDULES = """\
time_zone: Europe/Berlin
schedules:
  nightly:
    cron: "0 30 2 * * 1-5"
    benchmark: ntu60-xsub
    raw: [s3://recordings/ntu60/nturgbd_skeletons_s001_to_s017.zip]
    champions: s3://models/champions
  first-of-the-month:
    cron: "0 0 4 1 * *"
    benchmark: nw-ucla
    raw: [s3://recordings/all_sqe.zip]
    modalities: [joint, bone]
"""


@dataclass(frozen=True)
class Picture:
    """One picture: of the page at ``path``, or of where ``go_on`` leads from there."""

    name: str
    path: str
    go_on: Callable[[Page], None] = lambda page: None
    dark: bool = False
    narrow: bool = False

    def take(self, browser: Browser, console: str) -> None:
        context = browser.new_context(
            viewport=NARROW if self.narrow else WIDE,
            device_scale_factor=1.5 if self.narrow else 1,
            color_scheme="dark" if self.dark else "light",
            reduced_motion="reduce",  # the skeleton stands still
            locale="en-GB",
        )
        page = context.new_page()
        page.goto(console + self.path)
        self.go_on(page)
        if not self.narrow:
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": WIDE["width"], "height": min(height, TALLEST)})
        page.wait_for_timeout(500)  # charts follow the size
        picture = Image.open(io.BytesIO(page.screenshot()))
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(PICTURES / f"{self.name}.png", optimize=True)
        context.close()


def open_pair(page: Page) -> None:
    """The samples of the most confused pair."""
    page.locator("a.pair").first.click()
    page.locator(".group").first.wait_for()


def open_sample(page: Page) -> None:
    """A sample of the most confused pair that was taken for the other, some frames on."""
    open_pair(page)
    page.locator(".group", has_text="False negatives").locator("a").first.click()
    for _ in range(FRAME):
        page.locator("canvas").first.press(".")
    page.locator("canvas").first.blur()


def to_the_end_of_the_log(page: Page) -> None:
    """Where the training is."""
    page.get_by_role("log").evaluate("log => { log.scrollTop = log.scrollHeight; }")


def fill_form(page: Page) -> None:
    """A form with a mistake in it."""
    page.get_by_label("Epochs", exact=True).fill("0")
    page.locator("#mistake-epochs").wait_for()


RUN = "/runs/demo-with-head"
PICTURES_OF_PAGES = [
    Picture("runs", "/"),
    Picture("runs-narrow", "/", narrow=True),
    Picture("new-run", "/new?benchmark=demo", fill_form),
    Picture("run", RUN),
    Picture("run-dark", RUN, dark=True),
    Picture("run-narrow", RUN, narrow=True),
    Picture("step", f"{RUN}/steps/train_modality-joint", to_the_end_of_the_log),
    Picture("results", f"{RUN}/results"),
    Picture("results-dark", f"{RUN}/results", dark=True),
    Picture("pair", f"{RUN}/results", open_pair),
    Picture("skeleton", f"{RUN}/results", open_sample),
    Picture("skeleton-dark", f"{RUN}/results", open_sample, dark=True),
    Picture("skeleton-narrow", f"{RUN}/results", open_sample, narrow=True),
    Picture("comparison", "/compare?run=demo-with-head&run=demo-without-head"),
    Picture("schedules", "/schedules"),
    Picture("champion", "/champions/demo"),
]


def make_runs(folder: Path) -> None:
    """A run with FR-Head, and one without that has to do better to become the champion."""
    environment = os.environ | {"FRHEAD_STARTED_BY": "researcher"}

    def frhead(*arguments: str) -> None:
        command = [sys.executable, "-m", "pipeline.cli", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True)

    environment["PYTHONPATH"] = str(ROOT)
    if not (folder / "raw.zip").exists():
        frhead("synthetic", "--output", "raw.zip")
    for name, settings in RUNS.items():
        if not (folder / "runs" / name).exists():
            places = ("--raw", "raw.zip", "--champions", "champions", "--name", name)
            frhead("run", "demo", *places, *settings)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The console over the runs, with a stand-in for a cluster behind it."""
    with serving(page=100) as stand_in:
        api = KubeflowApi(Endpoint(stand_in.url))
        settings = ConsoleSettings(
            work_directory=folder / "runs",
            champions=str(folder / "champions"),
            cluster=Cluster.of(api, None, ZoneInfo("Europe/Berlin")),
        )
        config = uvicorn.Config(create_app(settings), port=0, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()


def declare_schedules(browser: Browser, console: str) -> None:
    """Have the cluster run something at night and every month."""
    page = browser.new_page()
    page.goto(f"{console}/schedules/new")
    page.get_by_label("or write it here").fill(SCHEDULES)
    page.get_by_role("button", name="Apply").click(timeout=120_000)
    page.get_by_role("link", name="All schedules").wait_for(timeout=120_000)
    page.close()


def main() -> None:
    """Take the pictures, or with names after the folder those alone."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/screenshots").absolute()
    wanted = re.compile("|".join(sys.argv[2:]) or ".*")
    folder.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    make_runs(folder)
    with serve(folder) as console, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        if wanted.fullmatch("schedules"):
            declare_schedules(browser, console)
        for picture in PICTURES_OF_PAGES:
            if wanted.fullmatch(picture.name):
                picture.take(browser, console)
        browser.close()


if __name__ == "__main__":
    main()
