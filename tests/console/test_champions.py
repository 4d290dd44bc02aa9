"""Pages and REST API of champions."""

from __future__ import annotations

import pytest

from tests.console.conftest import MARKUP, soup_of
from tests.console.operated import (
    BENCHMARK,
    add_champion,
    add_refusal,
    champions,
    cluster,
    operate,
    stand_in,
)

__all__ = ["champions", "cluster", "operate", "stand_in"]
PAGE = f"/champions/{BENCHMARK}"
API = f"/api/v1/champions/{BENCHMARK}"


def go_back(browser, **more: object):
    page = soup_of(browser.get(f"{PAGE}/rollback?to=1").text)
    form = {each["name"]: each.get("value", "") for each in page.select("form.narrow input")}
    return browser.post(f"{PAGE}/rollback", data=form | {"reason": "it fails at night"} | more)


def test_the_champion_of_each_benchmark_is_listed(operate, tmp_path):
    (tmp_path / "champions" / "empty").mkdir()
    damaged = tmp_path / "champions" / "damaged"
    damaged.mkdir()
    (damaged / "000001.json").write_text("{}")
    page = soup_of(operate().get("/champions").text)
    (row,) = page.select("tbody tr")
    assert row.th.a["href"] == PAGE
    assert (row.select("td")[0].text, row.select("td")[1].text) == ("2", "92.00 %")
    assert "is not the record of a champion" in page.select_one("[role=alert]").text


def test_history_has_reasons_of_those_accepted_and_those_refused(operate, tmp_path, work_directory):
    place = tmp_path / "champions"
    add_refusal(work_directory, place, "20260103-030405-nw-ucla")
    add_refusal(work_directory, tmp_path / "elsewhere", "20260104-030405-nw-ucla")
    add_refusal(work_directory, place, "20260105-030405-nw-ucla", promoted=True)
    add_refusal(work_directory, place, "20260106-030405-nw-ucla", accuracy="broken")
    page = soup_of(operate().get(PAGE).text)
    assert page.h1.text == "Champion 2 of nw-ucla"
    assert "92.00 % of 100 test samples" in page.select_one(".facts").text
    rows = page.select("#history + table tbody tr")
    assert [row.select_one(".state").text for row in rows] == [
        "refused",
        "champion 2",
        "champion 1",
    ]
    assert f"refused {MARKUP}" in rows[0].text
    assert rows[0].select_one("[data-label=Run] a")["href"] == "/runs/20260103-030405-nw-ucla"
    assert f"promoted over champion 1 {MARKUP}" in rows[1].text
    assert [link["href"] for link in page.select("[data-label='Go back'] a")] == [
        f"{PAGE}/rollback?to=1"
    ]
    assert "minimum gain" in page.select_one("#gate + table").text


def test_going_back_needs_a_reason_and_makes_a_new_number(operate, champions):
    browser = operate()
    assert "become champion 3" in browser.get(f"{PAGE}/rollback?to=1").text
    for reason in ("", "  ", "x" * 1001):
        answer = go_back(browser, reason=reason)
        assert answer.status_code == 422
        mistake = soup_of(answer.text).select_one(".mistake").text
        assert mistake == "Say why, in at most 1000 characters."
    assert champions.numbers() == [1, 2]
    assert go_back(browser, csrf="x").status_code == 403

    assert go_back(browser).headers["location"] == PAGE
    current = champions.current()
    assert (current.number, current.refers_to, current.reason) == (3, 1, "it fails at night")
    assert "going back to champion 1" in browser.get(PAGE).text
    assert "is that model already" in go_back(browser, to=1).text


def test_a_champion_that_comes_in_between_is_noticed(operate, champions, tmp_path):
    browser = operate()
    form = soup_of(browser.get(f"{PAGE}/rollback?to=1").text)
    add_champion(champions, tmp_path, 3, "promoted over champion 2")
    seen = form.select_one("[name=current]")["value"]
    answer = go_back(browser, current=seen)
    assert answer.status_code == 422
    assert "champion 3 has come meanwhile" in answer.text
    assert champions.numbers() == [1, 2, 3]


def test_programs_do_the_same(operate, champions, tmp_path, work_directory):
    add_refusal(work_directory, tmp_path / "champions", "20260103-030405-nw-ucla")
    program = operate()
    assert program.get("/api/v1/champions").json() == [BENCHMARK]
    assert program.get(API).json()["number"] == 2
    assert program.get(f"{API}?number=1").json()["top1"] == 91.0
    history = program.get(f"{API}/history").json()
    assert [each["number"] for each in history["champions"]] == [2, 1]
    assert [each["top1"] for each in history["refused"]] == [80.5]
    way = {"to": 1, "reason": "it fails at night", "current": 1}
    assert program.post(f"{API}/rollback", json=way).status_code == 422
    answer = program.post(f"{API}/rollback", json=way | {"current": 2})
    assert (answer.status_code, answer.json()["refers_to"]) == (201, 1)
    assert champions.numbers() == [1, 2, 3]


@pytest.mark.parametrize(
    "address", [f"{API}?number=9", f"{PAGE}/rollback?to=9", "/champions/none", "/champions/..%2f.."]
)
def test_what_is_not_there_is_not_found(operate, address):
    assert operate().get(address).status_code in (404, 422)


def test_without_a_place_the_page_says_how_to_name_one(client):
    browser = client()
    assert "--champions champions" in browser.get("/champions").text
    assert browser.get("/api/v1/champions").status_code == 404


def test_a_place_without_champions_says_how_one_comes_about(client, tmp_path):
    assert "There is none yet" in client(champions=str(tmp_path / "new")).get("/champions").text


@pytest.mark.s3
def test_champions_lie_in_object_storage_as_well(client, bucket, tmp_path):
    from components.champion_place import champion_place  # noqa: PLC0415
    from components.champions import Champions  # noqa: PLC0415

    place = str(bucket / "some/prefix")
    add_champion(Champions(champion_place(place), BENCHMARK), tmp_path, 1, "the first")
    browser = client(champions=place)
    assert browser.get("/api/v1/champions").json() == [BENCHMARK]
    assert "the first" in browser.get(PAGE).text
