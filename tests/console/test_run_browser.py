"""The page of a run in a real browser: it follows the run without being loaded again."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from components.events import FILE_NAME, EventFile
from tests.console.conftest import RUNNING

pytestmark = pytest.mark.browser
PROGRESS = {"task": "train joint", "total": 4, "unit": "samples", "rate": 2.0, "seconds_left": 3.0}


def test_status_progress_and_curves_follow_the_run(work_directory, serve, open_page):
    run = work_directory / RUNNING
    events = EventFile(run / "steps" / "train_modality-joint" / FILE_NAME)
    page = open_page()
    page.goto(f"{serve(work_directory)}/runs/{RUNNING}")
    page.evaluate("document.body.dataset.loaded = 'once'")
    box = page.get_by_role("link", name=re.compile("^train_modality joint: running 25 %"))
    box.focus()
    events.write("progress", done=3, figures={"epoch": 1, "loss": 2.5}, **PROGRESS)
    expect(page.get_by_role("link", name=re.compile("joint: running 75 %"))).to_be_focused()
    assert page.locator("polyline").count() == 0
    for epoch in (1, 2):
        events.write("epoch", figures={"epoch": epoch, "train_loss": 3.0 / epoch, "top1": 20.0})
    expect(page.locator("polyline.joint.training")).to_have_count(1)
    page.get_by_text("The figures as a table").click()
    events.write("finished")
    expect(page.get_by_role("link", name=re.compile("joint: done"))).to_be_visible()
    expect(page.get_by_role("cell", name="3.00")).to_be_visible()  # still open
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"status": "done", "seconds": 9.0}))
    expect(page.get_by_role("link", name="Results")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    assert page.evaluate("document.body.dataset.loaded") == "once"


def test_from_the_graph_to_a_file_with_the_keyboard_on_a_small_screen(
    finished_run, serve, open_page
):
    page = open_page(viewport={"width": 390, "height": 800})
    page.goto(f"{serve(finished_run.parent)}/runs/{finished_run.name}")

    def width() -> int:
        return int(page.evaluate("document.documentElement.scrollWidth"))

    assert width() == 390
    page.get_by_role("link", name=re.compile("^train_modality bone: done")).press("Enter")
    expect(page.locator("h1")).to_have_text("train_modality-bone")
    assert width() == 390
    page.locator("summary", has_text=re.compile("files")).first.press("Enter")
    link = page.get_by_role("link", name="Open recipe.yaml")
    expect(link).to_be_visible()
    # Not opened: for a bare text the browser asks for an icon that the console does not have.
    answer = page.request.get(str(link.evaluate("link => link.href")))
    assert "backbone: ctrgcn" in answer.text()
