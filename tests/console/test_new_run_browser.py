"""From the form to a run and its end, in a real browser, with runs that really run."""

from __future__ import annotations

import os
import re
import signal
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from components import lifeline
from frhead_core.data.synthetic import write_nw_ucla
from tests.console.browser import watch_a_confused_sample
from tests.console.finished_run import TINY

pytestmark = [pytest.mark.browser, pytest.mark.slow]
A_RUN = 300_000  # milliseconds in which a small run ends, on a machine that has other work


@pytest.fixture
def new_run(tmp_path, serve, open_page, monkeypatch):
    """Opens the form of a console."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def start(**settings: object) -> Page:
        page = open_page(**settings)
        page.goto(f"{serve(tmp_path / 'runs')}/new")
        return page

    yield start
    for record in (tmp_path / "runs").glob("*/run.json"):
        process = lifeline.holder(record.parent)
        if process is not None:  # of a test that failed
            os.kill(process, signal.SIGKILL)


def choose_small_run(page: Page, name: str, *settings: str) -> None:
    page.get_by_label("Benchmark", exact=True).select_option("demo-nw-ucla")
    page.get_by_label("joint", exact=True).check()
    page.get_by_label("Threads", exact=True).evaluate("each => each.closest('details').open = true")
    page.get_by_label("Threads", exact=True).fill("1")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_text("All settings of the recipe").click()
    page.get_by_label("Settings", exact=True).fill("\n".join((*TINY, *settings)))


def test_from_the_form_to_a_finished_run_and_its_confused_skeleton_playing(new_run):
    page = new_run()
    choose_small_run(page, "by-hand")
    page.get_by_label("Epochs", exact=True).fill("0")
    page.get_by_label("Synthetic stick figures").check()
    expect(page.locator("#mistake-epochs")).to_contain_text("0 is not in the range")
    page.get_by_label("Epochs", exact=True).fill("1")
    command = page.locator("#command")
    expect(command).to_contain_text("frhead synthetic --layout nw-ucla")
    expect(command).to_contain_text("--epochs 1")
    expect(page.get_by_role("status")).to_have_text("Nothing is wrong with it.")
    expect(page.locator("#mistake-epochs")).to_be_hidden()
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile("/runs/by-hand$"), timeout=A_RUN)
    expect(page.locator("[data-state=done]")).to_be_visible(timeout=A_RUN)
    page.get_by_role("link", name="Results").click()
    watch_a_confused_sample(page)
    page.get_by_role("link", name="Queue").click()
    expect(page.get_by_role("row", name=re.compile("by-hand.*done"))).to_be_visible()
    # Once more, from what it was.
    page.get_by_role("link", name="by-hand").click()
    page.get_by_role("link", name="Run again with changes").click()
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("1")
    expect(page.get_by_label("joint", exact=True)).to_be_checked()
    expect(page.locator("[name='settings.training.batch_size']")).to_have_value("8")


def damaged(folder: Path) -> Path:
    """An archive with the names of recordings, all of which are damaged."""
    whole = write_nw_ucla(folder / "whole.zip", seed=3, performers=2, replications=1)
    path = folder / "damaged.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name)[:-100])
    return path


def test_damaged_recordings_end_a_run_with_their_error(new_run, tmp_path):
    page = new_run()
    choose_small_run(page, "damaged")
    page.get_by_role("radio", name="Upload").check()
    page.get_by_label("Zip archives").set_input_files(damaged(tmp_path))
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile("/(queue|runs)/damaged$"), timeout=A_RUN)
    expect(page.get_by_role("alert").first).to_contain_text("extract_raw_skeletons", timeout=A_RUN)
    expect(page.locator("[data-state=failed]")).to_be_visible(timeout=A_RUN)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_a_stopped_run_goes_on_when_it_is_retried(new_run):
    page = new_run()
    choose_small_run(page, "stopped", "training.epochs=2", "loader.repeat=6")
    page.get_by_label("Synthetic stick figures").check()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("link", name="train_modality-joint").first).to_be_visible(timeout=A_RUN)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-state=stopped]")).to_be_visible(timeout=A_RUN)
    page.get_by_role("button", name="Retry").click()
    expect(page).to_have_url(re.compile("/runs/2.*-demo-nw-ucla$"), timeout=A_RUN)
    expect(page.locator("[data-state=done]")).to_be_visible(timeout=A_RUN)
    expect(page.locator(".state.cached").first).to_be_visible()


def test_without_scripts_the_form_says_the_same(new_run):
    page = new_run(java_script_enabled=False)
    page.get_by_label("Epochs", exact=True).fill("0")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#mistake-epochs")).to_contain_text("0 is not in the range")
    expect(page.get_by_label("Epochs", exact=True)).to_have_value("0")
    page.get_by_label("Epochs", exact=True).fill("1")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status")).to_have_text("Nothing is wrong with it.")
    expect(page.locator("#command")).to_contain_text("--epochs 1")


def test_the_form_fits_a_narrow_screen_and_is_filled_by_keyboard(new_run):
    page = new_run(viewport={"width": 390, "height": 800})
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    page.get_by_text("All settings of the recipe").click()
    page.get_by_text("How it runs").click()
    assert page.evaluate(overflow) == 0
    page.get_by_label("Epochs", exact=True).focus()
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(page.locator("#mistake-epochs")).to_be_visible()
