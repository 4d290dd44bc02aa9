"""Pages of runs, steps and logs, read as a reader would."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipeline.local_runs import LocalRuns
from tests.console.conftest import FAILED, MARKUP, RUNNING, csrf_of, soup_of


def test_runs_are_listed_newest_first_with_status_and_duration(client):
    answer = client().get("/")
    rows = soup_of(answer.text).select("tbody tr")
    assert [row.th.a.text for row in rows] == [RUNNING, FAILED]
    assert [row.select_one(".state").text for row in rows] == ["running", "failed"]
    assert rows[1].select_one("[data-label=Duration]").text == "1:02"
    assert len(answer.content) < 200_000


def test_a_work_directory_without_runs_says_how_to_start_one(client, work_directory, tmp_path):
    browser = client()
    browser.app.state.runs = LocalRuns(tmp_path)
    assert "frhead run demo" in browser.get("/").text


def test_a_failed_run_says_why_and_no_name_becomes_markup(client):
    for address in (f"/runs/{FAILED}", f"/runs/{FAILED}/steps/extract_raw_skeletons", "/"):
        page = soup_of(client().get(address).text)
        assert MARKUP in page.text
        assert [each.get("src") for each in page.select("script")] == ["/static/console.js"]
    alert = soup_of(client().get(f"/runs/{FAILED}").text).select_one("[role=alert]")
    assert "extract_raw_skeletons: bad file" in alert.text


def test_a_running_run_shows_progress_and_is_brought_up_to_date(client, work_directory):
    browser = client()
    page = soup_of(browser.get(f"/runs/{RUNNING}").text)
    part = page.select_one("[data-refresh]")
    assert "epoch: 1/4 batches" in part.text
    fresh = soup_of(browser.get(part["data-refresh"]).text)
    assert fresh.select_one("[data-state]")["data-state"] == "running"


def test_a_log_is_followed_from_where_it_was_read_to(client, work_directory):
    browser, step = client(), f"/runs/{RUNNING}/steps/train_modality-joint"
    log = soup_of(browser.get(step).text).select_one("[data-log]")
    assert log.text == "epoch 1\n"
    path = work_directory / RUNNING / "steps" / "train_modality-joint" / "log.txt"
    # The first of two bytes of a letter: the letter comes whole, with the next piece.
    path.write_bytes(b"epoch 1\nepoch 2 " + "ü".encode()[:1])
    answer = browser.get(f"{log['data-log']}?offset={log['data-offset']}")
    assert answer.text == "epoch 2 "
    path.write_bytes(b"epoch 1\nepoch 2 " + "ü\n".encode())
    offset = answer.headers["X-Next-Offset"]
    assert browser.get(f"{log['data-log']}?offset={offset}").text == "ü\n"


def test_stopping_asks_the_program_that_runs_it(client, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr("pipeline.local_runs.os.kill", lambda _pid, sign: asked.append(sign))
    browser = client()
    form = {"csrf": csrf_of(browser.get(f"/runs/{RUNNING}").text)}
    answer = browser.post(f"/runs/{RUNNING}/stop", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{RUNNING}")
    assert asked == [signal.SIGTERM]
    assert browser.post(f"/runs/{FAILED}/stop", data=form).status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        "/runs/none",
        "/runs/..%2f..%2fetc",
        f"/runs/{FAILED}/steps/none",
        f"/runs/{FAILED}/steps/..%2f..",
        "/runs/%2e%2e",
        "/static/..%2fapp.py",
        "/nothing",
    ],
)
def test_what_is_not_there_is_not_found(client, address):
    assert client().get(address).status_code in (404, 422)


def test_links_stay_below_the_prefix_of_a_proxy(client):
    browser = client(prefix="/frhead")
    # Some proxies leave the prefix in the path, others take it off.
    page = soup_of(browser.get("/frhead/").text)
    assert page == soup_of(browser.get("/").text)
    assert page.select_one("[aria-current=page]").text == "Runs"
    assert browser.get("/frhead/static/console.css").is_success
    places = [each[name] for name in ("href", "src") for each in page.select(f"[{name}]")]
    assert all(place.startswith(("/frhead/", "#")) for place in places), places


def test_the_first_page_with_all_it_loads_is_small(client):
    browser = client()
    page = browser.get("/")
    files = [
        each.get("href") or each.get("src")
        for each in soup_of(page.text).head.select("link, script")
    ]
    assert len(files) == 4
    sizes = [len(browser.get(place).content) for place in files]
    assert len(page.content) + sum(sizes) < 200_000


def test_no_page_names_another_host():
    for path in (Path(__file__).parents[2] / "pipeline" / "console").rglob("*.*"):
        if path.suffix in (".html", ".js", ".css"):
            assert "://" not in path.read_text(encoding="utf-8"), path
