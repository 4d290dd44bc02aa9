"""The REST API, as described and with whatever its description allows."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from tests.console.conftest import FAILED, RUNNING

HERE = {"Host": "localhost"}
KNOWN = {"name": RUNNING, "step": "train_modality-joint"}


def test_runs_and_steps_are_told(client):
    program = client()
    assert [run["id"] for run in program.get("/api/v1/runs").json()["runs"]] == [RUNNING, FAILED]
    run = program.get(f"/api/v1/runs/{RUNNING}").json()
    assert [(step["name"], step["state"]) for step in run["steps"]] == [
        ("train_modality-joint", "running")
    ]
    log = program.get(f"/api/v1/runs/{RUNNING}/steps/train_modality-joint/log").json()
    assert log == {"text": "epoch 1\n", "next_offset": 8}


def test_mistakes_are_told_as_json(client):
    answer = client().get("/api/v1/runs/none")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no run none.")


@pytest.fixture
def described(client, monkeypatch):
    monkeypatch.setattr("pipeline.local_runs.os.kill", lambda _pid, _sign: None)
    app = client().app
    description = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HERE)
    # test_results.py and test_operated_api.py ask the rest where there is something to find.
    return description.exclude(path_regex="/results|/cluster|/schedules|/champions")


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_sent_is_no_server_error(described, data):
    described.app.state.run_starter.queue.add([RUNNING], "demo", ["run"])  # others may withdraw it
    operation = data.draw(st.sampled_from([each.ok() for each in described.get_all_operations()]))
    case = data.draw(operation.as_strategy())
    check_no_server_error(case)
    for name in case.path_parameters.keys() & KNOWN.keys():
        case.path_parameters[name] = KNOWN[name]
    if "run" in case.query:
        case.query["run"] = [RUNNING, FAILED]
    answer = check_no_server_error(case)
    assert answer.status_code != 404 or case.path_parameters.keys() - KNOWN.keys()


def check_no_server_error(case):
    return case.call_and_validate(headers=HERE, checks=[not_a_server_error])
