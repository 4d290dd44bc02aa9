"""Pages and REST API of schedules, against the stand-in for the Kubeflow Pipelines API."""

from __future__ import annotations

import pytest

from tests.compiled_once import compiled_once
from tests.console.conftest import MARKUP, csrf_of, soup_of
from tests.console.operated import (
    SCHEDULES,
    add_cluster_run,
    champions,
    cluster,
    operate,
    stand_in,
)

__all__ = ["champions", "cluster", "compiled_once", "operate", "stand_in"]
pytestmark = pytest.mark.usefixtures("compiled_once")
API = "/api/v1/schedules"


def only(stand_in) -> dict:
    (run,) = stand_in.recurring_runs.values()
    return run


def apply(browser, text: str, do: str = "apply", **files: object):
    form = {"csrf": csrf_of(browser.get("/schedules/new").text), "text": text, "do": do}
    return browser.post("/schedules/new", data=form, files=files or None)


def test_a_schedule_is_checked_first_and_then_created(operate, stand_in):
    browser = operate()
    page = soup_of(apply(browser, SCHEDULES, "check").text)
    assert page.select_one("[data-label='Would be']").text == "created"
    assert "at 02:30, Monday through Friday, in Europe/Berlin" in page.text
    assert stand_in.recurring_runs == {}

    page = soup_of(apply(browser, SCHEDULES).text)
    assert page.select_one("[data-label=Was]").text == "created"
    assert only(stand_in)["trigger"] == {"cron_schedule": {"cron": "0 30 2 * * 1-5"}}
    assert soup_of(apply(browser, SCHEDULES).text).select_one("[data-label=Was]").text == (
        "unchanged"
    )


def test_a_file_that_is_sent_counts_and_stays_in_the_field(operate, stand_in):
    answer = apply(operate(), "", file=("any name.yaml", SCHEDULES.encode()))
    assert soup_of(answer.text).textarea.text.strip() == SCHEDULES.strip()
    assert only(stand_in)["display_name"] == "nightly"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("0 30 2", "30 2", "has six fields"),
        ("nw-ucla", "nw-ucl", "schedules.yaml:3: schedules.nightly: benchmark: unknown benchmark"),
        ("modalities", "modality", "schedules.yaml:7: schedules.nightly.modality: unknown key"),
        ("nw-ucla", "/etc/recipe.yaml", "cannot be read from here; found /etc/recipe.yaml"),
        (
            "raw:",
            "settings: {skeleton: ../x.yml}\n    raw:",
            "settings.skeleton: a file of your own",
        ),
        ("nightly:", "Nightly:", "is no name"),
        ("nightly:", "2026-13-45:", "is not valid YAML"),
        ("nightly:", "[" * 100_000, "more brackets in brackets"),
        ("nightly:", "nightly", "mapping"),
    ],
)
def test_mistakes_are_shown_beside_the_file_and_nothing_is_done(
    operate, stand_in, old, new, expected
):
    text = SCHEDULES.replace(old, new)
    answer = apply(operate(), text)
    page = soup_of(answer.text)
    assert answer.status_code == 422
    mistake = page.select_one(f"#{page.textarea['aria-describedby']}").text
    assert expected in mistake
    assert "/tmp" not in mistake
    assert page.textarea.text.strip() == text.strip()
    assert stand_in.changes() == []


def test_a_few_lines_that_stand_for_a_million_are_refused(operate, stand_in):
    lines = ["a0: &a0 [x]"] + [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 9)
    ]
    assert "more aliases" in apply(operate(), "\n".join(lines)).text
    assert "is not UTF-8" in apply(operate(), "", file=("x.yaml", b"\xff\xfe")).text


def test_a_schedule_of_the_same_name_by_other_means_is_left_alone(operate, stand_in):
    apply(operate(), SCHEDULES)
    only(stand_in)["description"] = "mine"
    answer = apply(operate(), SCHEDULES)
    assert "was made by other means" in answer.text
    assert "Another" not in soup_of(operate().get("/schedules").text).text
    assert "Made by other means" in operate().get("/schedules").text


def test_schedules_are_shown_with_words_times_and_last_runs(operate, stand_in):
    browser = operate()
    apply(browser, SCHEDULES)
    schedule = only(stand_in)["recurring_run_id"]
    run = add_cluster_run(stand_in, recurring_run_id=schedule)
    stand_in.recurring_runs["strange"] = {
        "recurring_run_id": "strange",
        "display_name": MARKUP,
        "status": "ENABLED",
        "trigger": {"periodic_schedule": {"interval_second": "60"}},
        "runtime_config": {"parameters": {"recipe": "no JSON"}},
    }
    other, nightly = soup_of(browser.get("/schedules").text).select(".card")
    assert (other.h2.text, nightly.h2.text) == (MARKUP, "nightly")
    assert "every 60 seconds" in other.text
    assert "Another pipeline than this one" in other.text
    assert "at 02:30, Monday through Friday, in Europe/Berlin" in nightly.text
    times = [each.text for each in nightly.select("ol li")]
    assert len(times) == 3
    assert all("02:30:00 CE" in time for time in times)
    assert "nw-ucla; joint" in nightly.text
    assert nightly.select_one("ul a")["href"] == f"/cluster/runs/{run}"
    row = soup_of(browser.get("/cluster/runs").text).select_one("[data-label='Started by'] a")
    assert (row.text, row["href"]) == ("nightly", f"/schedules#{schedule}")


def test_a_schedule_is_paused_resumed_and_deleted_after_a_question(operate, stand_in):
    browser = operate()
    apply(browser, SCHEDULES)
    place = f"/schedules/{only(stand_in)['recurring_run_id']}"
    form = {"csrf": csrf_of(browser.get("/schedules").text)}
    assert browser.post(f"{place}/pause", data=form).headers["location"] == "/schedules"
    assert only(stand_in)["status"] == "DISABLED"
    page = soup_of(browser.get("/schedules").text)
    assert "Not before it is resumed" in page.text
    assert page.select_one(".card button").text == "Resume"
    browser.post(f"{place}/resume", data=form)
    assert only(stand_in)["status"] == "ENABLED"

    assert browser.get(f"{place}/delete").is_success
    assert only(stand_in)
    assert browser.post(f"{place}/delete", data={"csrf": "x"}).status_code == 403
    assert browser.post(f"{place}/delete", data=form).status_code == 303
    assert stand_in.recurring_runs == {}
    assert browser.get(f"{place}/delete").status_code == 404
    assert browser.post(f"{place}/pause", data=form).status_code == 404
    assert browser.post(f"{place}/explode", data=form).status_code == 404


def test_programs_do_the_same(operate, stand_in):
    program = operate()
    assert program.post(API, json={"yaml": SCHEDULES, "dry_run": True}).json() == [
        {"name": "nightly", "action": "created", "paused": False}
    ]
    assert program.get(API).json() == []
    assert program.post(API, json={"yaml": SCHEDULES}).is_success
    (listed,) = program.get(API).json()
    assert (listed["name"], listed["cron"], listed["modalities"]) == (
        "nightly",
        "0 30 2 * * 1-5",
        ["joint"],
    )
    assert len(listed["next_times"]) == 3
    # By its name or its id.
    assert program.post(f"{API}/nightly/pause").json() == {"schedule": "nightly", "done": "paused"}
    assert program.get(API).json()[0]["paused"]
    assert program.post(f"{API}/{listed['id']}/resume").is_success
    assert not program.get(API).json()[0]["paused"]
    assert program.delete(f"{API}/nightl").status_code == 404
    assert program.delete(f"{API}/nightly").is_success
    assert program.get(API).json() == []


def test_without_a_cluster_the_page_says_how_cron_does_it(client):
    page = soup_of(client().get("/schedules").text)
    assert "30 2 * * 1-5  cd $HOME/frhead && flock -n runs.lock .venv/bin/frhead run" in page.text
