"""The list of runs as a page and for programs: filtered, sorted, page by page, kept fresh."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from components import lifeline
from pipeline.console.routes import runs as runs_routes
from tests.console.conftest import MARKUP, record, soup_of
from tests.console.finished_run import asked

ACCURACIES = {
    "joint": {"last": 88.0, "best": 90.5, "best_on": "best_on_test", "published": 91.25},
    "ensemble": {"last": 92.0, "best": 93.0, "best_on": "best_on_test", "published": None},
}


def write_runs(work_directory, count):
    """Runs of two benchmarks; every third one failed, the others are the better the later."""
    for number in range(count):
        failed = number % 3 == 2
        accuracy = {"last": 50.0 + number / 10, "best": 90.0 - number / 10}
        record(
            work_directory,
            f"run-{number:03}",
            "failed" if failed else "done",
            benchmark=("demo", "nw-ucla")[number % 2],
            recipe='{"model": {"backbone": "ctrgcn"}}',
            seconds=number,
            started_by=f"user-{number % 5}",
            accuracies={} if failed else {"joint": accuracy},
        )


@pytest.fixture
def browser(tmp_path):
    write_runs(tmp_path / "runs", 120)
    return asked(tmp_path / "runs" / "any")


def names(browser, address):
    return [link.text for link in soup_of(browser.get(address).text).select("tbody th a")]


def programs_names(browser, address):
    answer = browser.get(f"/api/v1/runs{urlsplit(address).query and '?'}{urlsplit(address).query}")
    return [run["id"] for run in answer.json()["runs"]]


def test_a_row_has_accuracies_with_the_published_figure_who_and_how_long(tmp_path):
    record(
        tmp_path,
        "one",
        "done",
        seconds=62.0,
        started_by="schedule nightly",
        recipe='{"model": {"backbone": "stgcn"}}',
        accuracies=ACCURACIES,
    )
    browser = asked(tmp_path / "any")
    for epoch, joint, ensemble in (("last", "88.00", "92.00"), ("best", "90.50", "93.00")):
        row = soup_of(browser.get(f"/?epoch={epoch}").text).select_one("tbody tr")
        cells = {cell["data-label"]: cell.text.split() for cell in row.select("[data-label]")}
        assert cells["Joint"] == [joint, "published", "91.25"]
        assert cells["Ensemble"] == [ensemble]
        assert cells["Bone"] == []
        assert cells["By"] == ["schedule", "nightly"]
        assert (cells["Duration"], cells["Backbone"]) == (["1:02"], ["stgcn"])
        assert row.select_one("th .quiet").text == "joint, bone"
    (run,) = browser.get("/api/v1/runs").json()["runs"]
    assert run["accuracies"] == ACCURACIES
    assert (run["started_by"], run["backbone"]) == ("schedule nightly", "stgcn")


def test_the_pages_have_each_run_once_and_lead_to_one_another(browser):
    address, seen = "/", []
    while True:
        seen.append(names(browser, address))
        following = soup_of(browser.get(address).text).select_one("[rel=next]")
        if following is None:
            break
        address = following["href"]
    assert [len(page) for page in seen] == [50, 50, 20]
    assert [name for page in seen for name in page] == [f"run-{n:03}" for n in reversed(range(120))]
    back = soup_of(browser.get(address).text).select_one("[rel=prev]")["href"]
    assert names(browser, back) == seen[1]


@pytest.mark.parametrize(
    "address",
    [
        "/?status=failed",
        "/?status=done&benchmark=nw-ucla&backbone=ctrgcn",
        "/?text=USER-3+demo",
        "/?sort=joint",
        "/?sort=joint&order=asc&epoch=best",
        "/?sort=duration&order=asc&page=2",
        "/?sort=started_by&order=asc",
        "/?status=&benchmark=&backbone=&text=&sort=run&order=asc",
        "/?text=nothing-like-it",
    ],
)
def test_programs_are_told_the_same_as_people(browser, address):
    query = parse_qs(urlsplit(address).query)
    found = programs_names(browser, f"{address}&per_page=50")
    assert names(browser, address) == found
    if "nothing" in address:
        assert found == []
        return
    assert found
    every = {run["id"]: run for run in browser.get("/api/v1/runs?per_page=200").json()["runs"]}
    chosen = [every[name] for name in found]
    for key, field in (("status", "state"), ("benchmark", "benchmark"), ("backbone", "backbone")):
        assert {run[field] for run in chosen} == set(query.get(key, {run[field] for run in chosen}))
    if query.get("sort") == ["joint"]:
        accuracies = [run["accuracies"].get("joint", {}) for run in chosen]
        known = [each[query.get("epoch", ["last"])[0]] for each in accuracies if each]
        assert known == sorted(known, reverse="order" not in query)


def test_the_heads_of_columns_sort_and_turn_the_order_and_keep_the_filter(browser):
    page = soup_of(browser.get("/?status=done&text=demo&page=2").text)
    assert page.select_one("[aria-sort=descending]").text == "Started"
    for key, text in runs_routes.COLUMNS.items():
        head = next(each for each in page.select("thead th a") if each.text == text)
        query = parse_qs(urlsplit(head["href"]).query)
        assert query["status"] == ["done"] and query["text"] == ["demo"] and "page" not in query
        turned = soup_of(browser.get(head["href"]).text)
        sorted_by = turned.select_one("[aria-sort]")
        assert sorted_by.text == text
        again = soup_of(browser.get(sorted_by.a["href"]).text).select_one("[aria-sort]")
        assert again.text == text and again["aria-sort"] != sorted_by["aria-sort"]
        assert turned.select_one(f"select[name=sort] [value={key}]").has_attr("selected")


def test_the_form_shows_what_was_asked_for(browser):
    page = soup_of(browser.get(f"/?text={quote(MARKUP)}&status=failed&benchmark=none").text)
    assert page.select_one("[name=text]")["value"] == MARKUP
    chosen = {each.parent["name"]: each["value"] for each in page.select("option[selected]")}
    assert chosen["status"] == "failed" and chosen["benchmark"] == "none"
    assert "None of the 120 runs" in page.text
    assert page.select_one("main a[href='/']")


def test_a_page_after_the_last_is_the_last_for_people_and_empty_for_programs(browser):
    assert names(browser, "/?page=99") == names(browser, "/?page=3")
    answer = browser.get("/api/v1/runs?page=99").json()
    assert (answer["runs"], answer["found"], answer["pages"], answer["page"]) == ([], 120, 2, 99)


@pytest.mark.parametrize(
    "query", ["page=0", "sort=color", "status=fine", "order=up", "page=x", "text=" + 201 * "x"]
)
def test_what_cannot_be_asked_is_refused(browser, query):
    assert browser.get(f"/?{query}").status_code == 422
    assert browser.get(f"/api/v1/runs?{query}").status_code == 422


def test_the_list_is_brought_up_to_date(tmp_path):
    folder = record(tmp_path, "goes-on", "running")
    browser = asked(tmp_path / "any")
    with lifeline.held(folder):
        page = soup_of(browser.get("/?status=running").text)
        place = page.select_one("[data-refresh]")["data-refresh"]
        assert soup_of(browser.get(place).text).select_one(".state").text == "running"
    assert "None of the 1 runs" in soup_of(browser.get(place).text).text
    assert soup_of(browser.get("/list").text).select_one(".state").text == "lost"


def test_a_damaged_record_is_shown_and_said_on_every_page(browser, tmp_path):
    (tmp_path / "runs" / "spoiled").mkdir()
    (tmp_path / "runs" / "spoiled" / "run.json").write_text("{")
    page = soup_of(browser.get("/").text)
    link = next(each for each in page.select("main p a") if each.text == "1 run")
    (row,) = soup_of(browser.get(link["href"]).text).select("tbody tr")
    assert row.th.a.text == "spoiled"
    assert "is not the record of a run" in row.select_one(".error").text
    assert browser.get("/runs/spoiled").status_code == 422


def test_names_of_folders_are_text_and_nothing_else(tmp_path):
    name = "<b>&amp;{{7*7}}\"'"
    record(tmp_path, name, "done", started_by=MARKUP, accuracies=ACCURACIES)
    row = soup_of(asked(tmp_path / "any").get("/").text).select_one("tbody tr")
    assert row.th.a.text == name
    assert row.select_one("input")["value"] == name
    assert row.select_one("[data-label=By]").text == MARKUP
    assert row.th.a["href"] == f"/runs/{quote(name)}"
