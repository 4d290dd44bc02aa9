"""Pages and REST API of a cluster's runs, against the stand-in for the Kubeflow Pipelines API."""

from __future__ import annotations

import pytest

from frhead_core.errors import InputError
from pipeline.console.settings import ConsoleSettings
from tests.console.conftest import MARKUP, RUNNING, csrf_of, soup_of
from tests.console.operated import add_cluster_run, champions, cluster, operate, stand_in
from tests.kfp_stand_in import TOKEN, Fault

__all__ = ["champions", "cluster", "operate", "stand_in"]


def test_runs_are_listed_beside_those_of_this_machine(operate, stand_in):
    run = add_cluster_run(stand_in)
    browser = operate()
    page = soup_of(browser.get("/cluster/runs").text)
    (row,) = page.select("tbody tr")
    assert row.th.a["href"] == f"/cluster/runs/{run}"
    assert (row.th.text, row.select_one(".state").text) == (f"nightly {MARKUP}", "failed")
    assert row.select_one("[data-label='Raw data']").text == "s3://data/a.zip"
    assert row.select_one("[data-label='Started by']").text == "hand"
    assert page.select_one("nav [aria-current=page]").text == "Cluster"
    assert RUNNING in browser.get("/").text


def test_a_console_of_the_cluster_alone_has_no_runs_of_its_own(operate, stand_in):
    browser = operate(only_cluster=True)
    assert browser.get("/").headers["location"] == "/cluster/runs"
    page = soup_of(browser.get("/cluster/runs").text)
    assert [link.text for link in page.select("nav a")] == ["Cluster", "Schedules", "Champions"]
    for address in (f"/runs/{RUNNING}", "/api/v1/runs"):
        assert browser.get(address).status_code == 404
    assert browser.get("/readyz").text == "ready\n"


def test_there_is_no_cluster_alone_without_a_cluster(work_directory):
    with pytest.raises(InputError, match="--endpoint or --profile"):
        ConsoleSettings(work_directory, only_cluster=True)


def test_a_run_is_shown_with_its_steps_and_what_is_missing_is_said(operate, stand_in):
    run = add_cluster_run(stand_in)
    page = soup_of(operate().get(f"/cluster/runs/{run}").text)
    rows = page.select("tbody tr")
    assert [row.th.text for row in rows] == [
        "fingerprint_data",
        "train_modality",
        "train_modality-2",
    ]
    assert [row.select_one(".state").text for row in rows] == ["done", "failed", "cached"]
    assert rows[0].select_one("[data-label=Duration]").text == "1:10"
    assert f"full {MARKUP}" in rows[1].text
    assert "does not hand out what a run has made" in page.text
    assert all(script.get("src") == "/static/console.js" for script in page.select("script"))


def test_a_log_is_shown_and_followed(operate, stand_in):
    run = add_cluster_run(stand_in, state="RUNNING")
    browser = operate()
    page = soup_of(browser.get(f"/cluster/runs/{run}/steps/fingerprint_data").text)
    log = page.select_one("[data-log]")
    assert log.text == f"hashing ü {MARKUP}\ndone\n"
    stand_in.logs[run, "fingerprint-pod"] += "more\n"
    answer = browser.get(f"{log['data-log']}?offset={log['data-offset']}")
    assert answer.text == "more\n"
    assert "from the cache" in browser.get(f"/cluster/runs/{run}/steps/train_modality-2").text


def test_a_run_is_stopped_and_goes_on(operate, stand_in):
    run = add_cluster_run(stand_in, state="RUNNING")
    browser, place = operate(), f"/cluster/runs/{run}"
    form = {"csrf": csrf_of(browser.get(place).text)}
    assert browser.post(f"{place}/stop", data=form).headers["location"] == place
    assert stand_in.runs[run]["state"] == "CANCELING"
    assert browser.post(f"{place}/retry", data=form).status_code == 422
    stand_in.runs[run]["state"] = "CANCELED"
    assert "Go on where it failed" in browser.get(place).text
    assert browser.post(f"{place}/retry", data=form).headers["location"] == place
    assert stand_in.runs[run]["state"] == "RUNNING"
    assert browser.post(f"{place}/stop", data={"csrf": "x"}).status_code == 403


def test_programs_do_the_same(operate, stand_in):
    run = add_cluster_run(stand_in, state="RUNNING")
    program, place = operate(), f"/api/v1/cluster/runs/{run}"
    assert [each["id"] for each in program.get("/api/v1/cluster/runs").json()] == [run]
    assert len(program.get(place).json()["steps"]) == 3
    log = program.get(f"{place}/steps/fingerprint_data/log?offset=8").json()
    assert log["text"].startswith("ü ")
    assert program.post(f"{place}/stop").json()["state"] == "stopping"
    stand_in.runs[run]["state"] = "FAILED"
    assert program.post(f"{place}/retry").json()["state"] == "running"


@pytest.mark.parametrize("address", ["none", "..%2f..", "{run}/steps/none", "{run}/steps/..%2f.."])
def test_what_is_not_there_is_not_found(operate, stand_in, address):
    run = add_cluster_run(stand_in)
    for root in ("/cluster/runs/", "/api/v1/cluster/runs/"):
        assert operate().get(root + address.format(run=run)).status_code in (404, 422)


def test_without_a_cluster_there_is_none_to_ask(client):
    browser = client()
    assert "Cluster" not in soup_of(browser.get("/").text).nav.text
    for address in ("/cluster/runs", "/api/v1/cluster/runs", "/api/v1/schedules"):
        assert browser.get(address).status_code == 404


def test_a_cluster_that_is_away_is_said_on_the_page_without_the_token(operate, stand_in):
    stand_in.faults.append(Fault("GET", 503, 9, f"away {TOKEN}"))
    answer = operate().get("/cluster/runs")
    assert answer.status_code == 503
    assert "is not available, after 2 tries" in answer.text
    assert TOKEN not in answer.text
