"""The list of runs in a real browser: filter, sort, and from two boxes to the comparison."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import Page, expect

from components import lifeline
from tests.console.conftest import record
from tests.console.finished_run import change_record

pytestmark = pytest.mark.browser
SECOND = "20990101-000000-second"


@pytest.fixture
def work_directory(copied_run):
    """Two finished runs of the same samples, and three that failed."""
    second = copied_run.with_name(SECOND)
    shutil.copytree(copied_run, second)
    change_record(second, lambda facts: facts["accuracies"]["joint"].update(last=99.5))
    for number in range(3):
        record(copied_run.parent, f"failed-{number}", "failed", started_by=f"user-{number}")
    return copied_run.parent


def listed(page: Page) -> list[str]:
    return page.locator("tbody th a").all_inner_texts()


@pytest.mark.parametrize("scripts", [True, False])
def test_filter_sort_and_compare_with_and_without_scripts(
    work_directory, copied_run, serve, open_page, scripts
):
    page = open_page(java_script_enabled=scripts)
    page.goto(serve(work_directory))
    expect(page.locator("tbody tr")).to_have_count(5)
    page.get_by_label("Words").fill("user-1")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("text=user-1"))
    assert listed(page) == ["failed-1"]
    page.get_by_role("link", name="Reset").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    page.get_by_label("Status").select_option("done")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Joint", exact=True).click()
    expect(page.locator("[aria-sort=descending]")).to_have_text("Joint")
    assert listed(page) == [SECOND, copied_run.name]
    page.get_by_role("link", name="Joint", exact=True).click()
    expect(page.locator("[aria-sort=ascending]")).to_have_text("Joint")
    assert listed(page) == [copied_run.name, SECOND]
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Compare the chosen runs").click()
    expect(page.get_by_role("heading", name="Compare runs")).to_be_visible()
    assert page.locator("thead th a").all_inner_texts() == [copied_run.name, SECOND]
    page.get_by_role("link", name="best epoch").click()
    expect(page.locator("[aria-current=true]")).to_have_text("best epoch")
    expect(page.locator("#pair-B + .scroll tbody tr")).to_have_count(3)


def test_the_list_follows_what_happens_unless_runs_are_being_chosen(
    work_directory, serve, open_page
):
    folder = record(work_directory, "20990102-000000-goes-on", "running")
    page = open_page()
    with lifeline.held(folder):
        page.goto(serve(work_directory))
        expect(page.locator(".state.running")).to_have_count(1)
        page.get_by_role("checkbox").last.check()
        page.get_by_role("heading", name="Runs").click()  # the box is chosen, not in use
    page.wait_for_timeout(2500)  # longer than it takes to ask again
    expect(page.locator(".state.running")).to_have_count(1)
    expect(page.get_by_role("checkbox").last).to_be_checked()
    page.get_by_role("checkbox").last.uncheck()
    page.get_by_label("Words").focus()
    expect(page.locator(".state.lost")).to_have_count(1)


def test_no_page_is_wider_than_a_small_screen(work_directory, copied_run, serve, open_page):
    page = open_page(viewport={"width": 390, "height": 800})
    place = serve(work_directory)
    for address in ("/", f"/compare?run={copied_run.name}&run={SECOND}&run=failed-0"):
        page.goto(place + address)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.goto(place)
    page.get_by_label("Sort by").select_option("run")
    page.get_by_label("Order").select_option("asc")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody th a").last).to_have_text("failed-2")
