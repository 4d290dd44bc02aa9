"""The REST API of cluster, schedules and champions, with whatever its description allows."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from starlette.testclient import TestClient

from tests.compiled_once import compiled_once
from tests.console.operated import (
    BENCHMARK,
    SCHEDULES,
    Operate,
    add_cluster_run,
    champions,
    cluster,
    operate,
    stand_in,
)

__all__ = ["champions", "cluster", "compiled_once", "operate", "stand_in"]
HERE = {"Host": "localhost"}


@pytest.fixture
def browser(operate: Operate) -> TestClient:
    return operate()


@pytest.fixture
def described(browser: TestClient) -> BaseSchema:
    description = schemathesis.openapi.from_asgi("/api/v1/openapi.json", browser.app, headers=HERE)
    return description.include(path_regex="/cluster|/schedules|/champions")


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_sent_is_no_server_error(browser, described, stand_in, compiled_once, data):
    if not stand_in.recurring_runs:  # at first, and when the last one was deleted
        browser.post("/api/v1/schedules", json={"yaml": SCHEDULES})
    stand_in.runs.clear()
    known = {
        "name": add_cluster_run(stand_in, state=data.draw(st.sampled_from(["RUNNING", "FAILED"]))),
        "step": "fingerprint_data",
        "schedule": "nightly",
        "benchmark": BENCHMARK,
    }
    operation = data.draw(st.sampled_from([each.ok() for each in described.get_all_operations()]))
    case = data.draw(operation.as_strategy())
    case.call_and_validate(headers=HERE, checks=[not_a_server_error])
    for name in case.path_parameters.keys() & known.keys():
        case.path_parameters[name] = known[name]
    answer = case.call_and_validate(headers=HERE, checks=[not_a_server_error])
    assert answer.status_code != 404 or "/champions" in case.path
