"""Schedules and champions in a real Chromium, by two people at once."""

from __future__ import annotations

import pytest

from tests.compiled_once import compiled_once
from tests.console.operated import SCHEDULES, add_cluster_run, champions, cluster, stand_in

__all__ = ["champions", "cluster", "compiled_once", "stand_in"]
pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("compiled_once")]


@pytest.fixture
def console(serve, work_directory, cluster, champions, tmp_path) -> str:
    return serve(work_directory, cluster=cluster, champions=str(tmp_path / "champions"))


def test_a_schedule_is_created_paused_and_resumed_under_the_eyes_of_another(
    console, open_page, stand_in, tmp_path
):
    file = tmp_path / "my schedules.yaml"
    file.write_text(SCHEDULES.replace("0 30 2", "30 2"))
    mine, theirs = open_page(), open_page(viewport={"width": 390, "height": 800})
    mine.goto(f"{console}/schedules")
    theirs.goto(f"{console}/schedules")
    assert theirs.get_by_text("There are none yet.").is_visible()

    mine.get_by_role("link", name="New from a file").click()
    mine.get_by_label("Take it from a file").set_input_files(file)
    with mine.expect_response(lambda answer: answer.status == 422):
        mine.get_by_role("button", name="Apply").click()
    assert "six fields" in mine.get_by_role("alert").text_content()
    field = mine.get_by_label("or write it here")
    field.fill(field.input_value().replace("30 2", "0 30 2"))
    mine.get_by_role("button", name="Check").click()
    assert mine.get_by_role("cell", name="created").is_visible()
    assert stand_in.recurring_runs == {}
    mine.get_by_role("button", name="Apply").click()
    mine.get_by_role("link", name="All schedules").click()
    card = mine.get_by_role("article", name="nightly")
    assert card.get_by_text("at 02:30, Monday through Friday, in Europe/Berlin").is_visible()

    card.get_by_role("button", name="Pause").click()
    assert card.get_by_text("Not before it is resumed.").is_visible()
    theirs.reload()
    theirs.get_by_role("button", name="Resume").click()
    assert theirs.get_by_text("active").is_visible()
    wide = theirs.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    mine.reload()
    assert card.get_by_role("button", name="Pause").is_visible()
    (run,) = stand_in.recurring_runs.values()
    assert run["status"] == "ENABLED"

    theirs.get_by_role("link", name="Delete").click()
    theirs.get_by_role("button", name="Delete nightly").click()
    assert theirs.get_by_text("There are none yet.").is_visible()


def test_a_champion_is_rolled_back_once_by_two_who_want_it(console, open_page, champions):
    pages = [open_page(), open_page()]
    for page in pages:
        page.goto(f"{console}/champions")
        page.get_by_role("link", name="nw-ucla").click()
        page.get_by_role("link", name="Go back to 1").click()
        page.get_by_label("Why").fill("it fails at night")
    first, second = pages
    first.get_by_role("button", name="Make it champion 3").click()
    assert first.get_by_role("heading", name="Champion 3 of nw-ucla").is_visible()
    assert first.get_by_text("going back to champion 1").is_visible()

    with second.expect_response(lambda answer: answer.status == 422):
        second.get_by_role("button", name="Make it champion 3").click()
    assert "champion 3 has come meanwhile" in second.get_by_role("alert").text_content()
    assert champions.numbers() == [1, 2, 3]


def test_a_run_of_the_cluster_is_watched_to_its_end(console, open_page, stand_in):
    run = add_cluster_run(stand_in, state="RUNNING")
    page = open_page()
    page.goto(f"{console}/cluster/runs")
    page.get_by_role("link", name="nightly").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopping").wait_for()
    stand_in.runs[run]["state"] = "CANCELED"
    page.get_by_role("button", name="Go on where it failed").wait_for()
    page.get_by_role("link", name="fingerprint_data").click()
    assert "hashing" in page.get_by_role("log").text_content()
