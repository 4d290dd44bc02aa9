"""Who may ask, and what another site's page cannot do."""

from __future__ import annotations

import pytest

from frhead_core.errors import InputError
from pipeline.console.settings import ConsoleSettings
from tests.console.conftest import RUNNING, TOKEN, csrf_of


def test_another_address_needs_a_token_of_some_length(tmp_path):
    for settings in ({"host": "0.0.0.0"}, {"host": "example"}, {"token": "short"}):
        with pytest.raises(InputError) as error:
            ConsoleSettings(tmp_path, **settings)
        assert "short" not in str(error.value).replace("too short", "")
    assert ConsoleSettings(tmp_path, host="0.0.0.0", token=TOKEN).token == TOKEN
    assert ConsoleSettings(tmp_path, host="::1").token is None


def test_every_answer_has_a_strict_policy(client):
    for address in ("/", "/nothing", "/static/console.js", "/api/v1/runs"):
        headers = client().get(address).headers
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_without_a_token_only_this_machines_names_are_answered(client):
    assert client().get("/", headers={"Host": "elsewhere.example"}).status_code == 400


def test_with_a_token_pages_ask_for_it_and_the_api_refuses(client):
    browser = client(token=TOKEN)
    page = browser.get(f"/runs/{RUNNING}")
    assert (page.status_code, page.headers["location"]) == (303, f"/login?next=/runs/{RUNNING}")
    assert browser.get("/api/v1/runs").status_code == 401
    assert browser.get("/healthz").text == "ok\n"
    assert browser.get("/api/v1/runs", headers={"Authorization": f"Bearer {TOKEN}"}).is_success
    assert browser.get("/api/v1/runs", headers={"Authorization": "Bearer x"}).status_code == 401


def test_the_token_is_shown_once_and_the_session_ends_when_left(client):
    browser = client(token=TOKEN)
    form = {"csrf": csrf_of(browser.get("/login").text), "next": f"/runs/{RUNNING}"}
    wrong = browser.post("/login", data=form | {"token": "wrong-token-of-length"})
    assert wrong.status_code == 403
    assert "not the token" in wrong.text
    right = browser.post("/login", data=form | {"token": TOKEN})
    assert right.headers["location"] == f"/runs/{RUNNING}"
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    page = browser.get("/")
    assert page.status_code == 200
    assert TOKEN not in page.text
    browser.post("/logout", data={"csrf": csrf_of(page.text)})
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("place", ["//elsewhere.example", "https://elsewhere.example", "/\\x"])
def test_signing_in_leads_to_no_other_host(client, place):
    browser = client(token=TOKEN)
    form = {"csrf": csrf_of(browser.get("/login").text), "next": place, "token": TOKEN}
    assert browser.post("/login", data=form).headers["location"] == "/"


def test_another_sites_form_changes_nothing(client):
    browser = client()
    stop, form = f"/runs/{RUNNING}/stop", {"csrf": "x"}
    browser.get("/")
    assert browser.post(stop, data=form).status_code == 403
    assert browser.post(stop).status_code == 403
    for headers in ({"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert browser.post(f"/api/v1{stop}", headers=headers).status_code == 403


def test_requests_have_a_largest_size_with_and_without_a_stated_one(client):
    browser = client(upload_limit=100)
    stop = f"/runs/{RUNNING}/stop"
    assert browser.post(stop, data={"csrf": "x" * 200}).status_code == 413
    assert browser.post(stop, content=iter([b"x" * 60, b"x" * 60])).status_code in (403, 413)


def test_the_key_of_sessions_is_its_owners_alone(client, work_directory):
    client()
    key = work_directory / "console" / "session.key"
    assert key.stat().st_mode & 0o077 == 0
    before = key.read_text()
    client()
    assert key.read_text() == before
