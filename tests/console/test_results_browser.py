"""The way from a run to the skeleton of a confused sample, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from frhead_core.evaluation import metrics
from frhead_core.evaluation.ensemble import combine
from pipeline.console.routes import results as results_routes
from tests.console.browser import picture, watch_a_confused_sample
from tests.console.finished_run import MODALITIES
from tests.console.test_results import pages, scores_of

pytestmark = pytest.mark.browser


@pytest.fixture
def results(telling_run, serve, open_page):
    """Opens the page of results, from the page of the run."""

    def start(**settings: object) -> Page:
        page = open_page(**settings)
        page.goto(f"{serve(telling_run.parent)}/runs/{telling_run.name}")
        page.get_by_role("link", name="Results").click()
        expect(page).to_have_url(re.compile(pages(telling_run)))
        return page

    return start


def test_from_a_confused_pair_to_its_skeleton_playing(results):
    page = results()
    watch_a_confused_sample(page)
    players = page.locator(".players")
    assert players.evaluate("each => getComputedStyle(each).display") == "grid"
    assert page.locator(".verdicts tbody tr").count() == 3


def test_the_player_stands_still_where_motion_is_not_wanted_and_obeys_keys(results):
    page = results(reduced_motion="reduce")
    page.get_by_role("link", name=re.compile("read as")).first.click()
    page.locator(".group a").first.click()
    canvas, frame = page.locator("canvas"), page.locator(".controls .place")
    expect(frame).to_have_text(re.compile(r"^1 of "))
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    before = picture(page)
    canvas.press("ArrowRight")
    turned = picture(page)
    assert turned != before
    canvas.press("Home")
    assert picture(page) == before
    canvas.press(".")
    expect(frame).to_have_text(re.compile(r"^2 of "))
    canvas.press(",")
    canvas.press(",")
    expect(frame).to_have_text(re.compile(r"^(\d+) of \1$"))
    canvas.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    still = picture(page)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 60, steps=3)
    page.mouse.up()
    assert picture(page) != still


@pytest.mark.parametrize("most", [results_routes.COMPUTED_IN_BROWSER, 0])
def test_the_accuracy_follows_the_sliders(results, telling_run, monkeypatch, most):
    monkeypatch.setattr(results_routes, "COMPUTED_IN_BROWSER", most)
    page = results()
    form, right = page.locator("form.weights"), page.locator("form.weights .right")
    own = right.inner_text()
    parts = {name: scores_of(telling_run, name) for name in MODALITIES}
    seen = set()
    for chosen in ((1, 0), (0, 1), (0.335, 0.87), (0.915, 0.05)):
        for name, weight in zip(MODALITIES, chosen, strict=True):
            form.locator(f"[name={name}]").fill(str(weight))
        combined = combine(parts, dict(zip(MODALITIES, chosen, strict=True)))
        figures = metrics.summarise(combined.logits, combined.labels)
        expect(right).to_have_text(str(figures["top1_right"]))
        expect(form.locator(".top1")).to_have_text(f"{figures['top1']:.2f}")
        expect(form.locator(".top5")).to_have_text(f"{figures['top5']:.2f}")
        seen.add(figures["top1_right"])
    assert len(seen) > 1, "all weights recognise equally many: the test shows nothing"
    form.get_by_role("button").click()
    expect(right).to_have_text(own)


def test_a_large_matrix_is_gone_through_by_keys(results, monkeypatch):
    monkeypatch.setattr(results_routes, "CLASSES_AS_TABLE", 5)
    page = results(viewport={"width": 390, "height": 800})
    canvas, told = page.locator(".confusion canvas"), page.locator(".readout output")
    expect(told).to_have_text(re.compile(" read as .+: [1-9]"))  # the largest confusion
    first = told.inner_text()
    canvas.press("PageDown")
    expect(told).not_to_have_text(first)
    canvas.press("PageUp")
    expect(told).to_have_text(first)
    actual = first.partition(" read as ")[0]
    canvas.press("Enter")
    expect(page.locator("h1")).to_have_text(re.compile(f"^{re.escape(actual)} and "))


def test_no_page_is_wider_than_a_small_screen(results):
    page = results(viewport={"width": 390, "height": 800})

    def width() -> int:
        return int(page.evaluate("document.documentElement.scrollWidth"))

    assert width() == 390
    page.locator("a.pair").first.click()
    assert width() == 390
    page.locator(".group a").first.click()
    assert width() == 390
