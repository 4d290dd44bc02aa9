"""``frhead submit`` and ``frhead runs`` against the stand-in for the Kubeflow Pipelines API."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from frhead_core.errors import FRHeadError
from pipeline.cli import exit_code_of
from pipeline.cluster_options import kubeflow_api
from pipeline.kubeflow_api import Endpoint, KubeflowApi
from tests.kfp_stand_in import TOKEN, DefinitionError, Fault, StandIn, check, serving


@pytest.fixture
def cluster() -> Iterator[StandIn]:
    with serving(token=TOKEN, namespaces=frozenset({"team"})) as state:
        yield state
        assert state.violations == []


@pytest.fixture
def where(cluster: StandIn, tmp_path: Path) -> list[str]:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return ["--endpoint", cluster.url, "--token-file", str(tmp_path / "token")]


@pytest.fixture
def frhead(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = exit_code_of(list(arguments))
        output, error = capsys.readouterr()
        return code, output, error

    return run


SUBMIT = ["submit", "nw-ucla", "--raw", "s3://data/all_sqe.zip", "--namespace", "team"]


def test_a_run_is_submitted_with_everything_that_was_said(cluster, where, frhead) -> None:
    more = ["--champions", "s3://models/champions", "--experiment", "nightly", "--name", "a name",
            "--service-account", "runner", "--pipeline-root", "s3://artifacts/v2",
            "--modalities", "joint", "--epochs", "3"]  # fmt: skip

    code, output, error = frhead(*SUBMIT, *where, *more)

    assert code == 0, error
    (run,) = cluster.runs.values()
    assert output.startswith(f"run: {run['run_id']}  (a name)")
    assert run["service_account"] == "runner"
    assert run["runtime_config"]["pipeline_root"] == "s3://artifacts/v2"
    parameters = run["runtime_config"]["parameters"]
    assert parameters["raw"] == "s3://data/all_sqe.zip"
    assert parameters["champions"] == "s3://models/champions"
    assert [each["modality"] for each in parameters["trainings"]] == ["joint"]
    assert json.loads(parameters["trainings"][0]["recipe"])["training"]["epochs"]["joint"] == 3
    experiment = cluster.experiments[run["experiment_id"]]
    assert (experiment["display_name"], experiment["namespace"]) == ("nightly", "team")
    (pipeline,) = cluster.pipelines.values()
    assert (pipeline["name"], pipeline["namespace"]) == ("frhead-nw-ucla", "team")


GPU_CLUSTER = Path(__file__).parents[2] / "manifests" / "profiles" / "gpu-cluster.yaml"


@pytest.fixture
def profile(cluster: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The profile of a GPU cluster, with the address, the namespace and a login of this one."""
    data = yaml.safe_load(GPU_CLUSTER.read_text())
    data["kubeflow"] |= {"endpoint": cluster.url, "namespace": "team"}
    data["kubeflow"]["login"] = {"token_variable": "ANY_TOKEN"}
    monkeypatch.setenv("ANY_TOKEN", TOKEN)
    file = tmp_path / "profile.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


def test_a_profile_says_where_and_as_whom(cluster, profile, frhead) -> None:
    raw = ["--raw", "s3://data/all_sqe.zip"]
    code, output, error = frhead("submit", "nw-ucla", *raw, "--profile", str(profile))

    assert code == 0, error
    (run,) = cluster.runs.values()
    assert run["service_account"] == "frhead-runner"
    experiment = cluster.experiments[run["experiment_id"]]
    assert experiment["namespace"] == "team"
    assert f"frhead runs watch {run['run_id']} --profile {profile}" in output
    (version,) = cluster.versions.values()
    spec = version["pipeline_spec"]
    assert "s3://mlpipeline/frhead-checkpoints" in json.dumps(spec)
    assert TOKEN not in json.dumps(spec) + output

    code, output, error = frhead("runs", "list", "--profile", str(profile))
    assert code == 0 and run["run_id"] in output, error


def test_a_login_of_the_profile_is_a_file_or_a_variable(
    cluster, profile, frhead, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("ANY_TOKEN", "another")
    assert frhead("runs", "list", "--profile", str(profile))[0] == 2
    (tmp_path / "token").write_text(TOKEN)
    text = profile.read_text().replace("token_variable: ANY_TOKEN", f"token_file: {tmp_path}/token")
    profile.write_text(text)
    assert frhead("runs", "list", "--profile", str(profile))[0] == 0
    text = text.replace(f"token_file: {tmp_path}/token", "token_variable: ANY_TOKEN")
    profile.write_text(text)
    options = ["--token-file", str(tmp_path / "token")]
    assert frhead("runs", "list", "--profile", str(profile), *options)[0] == 0


def test_only_several_users_have_a_namespace_each(profile: Path) -> None:
    given = {"profile": profile, "endpoint": "", "namespace": "", "token_file": None}
    given["ca_file"] = None
    assert kubeflow_api(given).namespace == {"namespace": "team"}
    profile.write_text(profile.read_text().replace("multi_user: true", "multi_user: false"))
    assert kubeflow_api(given).namespace == {}
    assert kubeflow_api(given | {"namespace": "mine"}).namespace == {"namespace": "mine"}


def test_the_same_pipeline_is_uploaded_once(cluster, where, frhead) -> None:
    for _ in range(2):
        assert frhead(*SUBMIT, *where)[0] == 0
    assert len(cluster.asked("POST /apis/v2beta1/pipelines/upload_version")) == 1
    # Other modalities are other arguments, another recipe is another version of the pipeline.
    assert frhead(*SUBMIT, *where, "--modalities", "bone")[0] == 0
    assert (len(cluster.runs), len(cluster.versions)) == (3, 1)
    assert frhead(*SUBMIT, *where, "--epochs", "3")[0] == 0

    assert (len(cluster.pipelines), len(cluster.versions), len(cluster.experiments)) == (1, 2, 1)


def test_a_file_that_was_compiled_is_used(cluster, where, frhead, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    assert (
        frhead("compile", "nw-ucla", "--output", str(file), "--profile", str(GPU_CLUSTER))[0] == 0
    )

    assert frhead(*SUBMIT, *where, "--pipeline", str(file))[0] == 0

    (version,) = cluster.versions.values()
    executors = version["pipeline_spec"]["deploymentSpec"]["executors"]
    container = executors["exec-train-modality"]["container"]
    assert container["resources"]["accelerator"]["resourceCount"] == "4"


def task(task_id: str, name: str, **more: Any) -> dict[str, Any]:
    created = f"2026-01-01T00:00:0{task_id}Z"
    common = {"task_id": task_id, "create_time": created, "state": "SUCCEEDED"}
    return {**common, "display_name": name, **more}


def detailed_run(cluster: StandIn) -> str:
    """A run as KFP tells of it, with its helpers: drivers, loops, executors."""
    children = [{"task_id": "4"}, {"task_id": "5"}]
    tasks = [
        task("1", "root", child_tasks=[{"task_id": "2"}, {"task_id": "3"}]),
        task("2", "fingerprint-data-driver", pod_name="driver-pod"),
        task("3", "fingerprint-data", child_tasks=children, start_time="2026-01-01T00:00:03Z",
             end_time="2026-01-01T00:01:13Z"),
        task("4", "executor", pod_name="fingerprint-pod"),
        task("6", "for-loop-1"),
        task("7", "train-modality", state="FAILED", error={"code": 1, "message": "out of memory"}),
        task("8", "train-modality", state="SKIPPED"),
    ]  # fmt: skip
    run_id = cluster.add_run(
        display_name="nightly",
        state="FAILED",
        runtime_config={"parameters": {"raw": "s3://data/a.zip"}},
        error={"code": 2, "message": "a step failed"},
        finished_at="2026-01-01T01:00:00Z",
        run_details={"task_details": tasks},
    )
    cluster.logs[run_id, "fingerprint-pod"] = "hashing\ndone\n"
    return run_id


def test_runs_are_listed_newest_first_over_all_pages(cluster, where, frhead) -> None:
    names = [f"run number {number}" for number in range(5)]
    for name in names:
        cluster.add_run(display_name=name)

    code, output, error = frhead("runs", "list", *where, "--limit", "4")

    assert code == 0, error
    rows = output.splitlines()
    assert rows[0].split() == ["run", "name", "state", "started", "took"]
    assert [name for row in rows[1:] for name in names if name in row] == names[:0:-1]


def test_a_run_is_shown_with_its_steps_and_no_helpers(cluster, where, frhead) -> None:
    code, output, error = frhead("runs", "show", detailed_run(cluster), *where)

    assert code == 0, error
    steps = [line.split() for line in output.partition("\n\n")[2].splitlines()[1:]]
    assert steps == [
        ["fingerprint_data", "done", "1:10"],
        ["train_modality", "failed", "out", "of", "memory"],
        ["train_modality-2", "cached"],
    ]
    assert "a step failed" in output
    assert "s3://data/a.zip" in output


def test_a_log_is_that_of_the_pod_that_computed(cluster, where, frhead) -> None:
    run_id = detailed_run(cluster)

    assert frhead("runs", "logs", run_id, "fingerprint_data", *where)[1] == "hashing\ndone\n"
    code, _, error = frhead("runs", "logs", run_id, "fingerprint_dat", *where)
    assert code == 2
    assert "no such step; found fingerprint_dat; expected fingerprint_data" in error


def test_a_run_is_stopped_and_goes_on(cluster, where, frhead) -> None:
    run_id = cluster.add_run()

    assert frhead("runs", "stop", run_id, *where)[0] == 0
    assert cluster.runs[run_id]["state"] == "CANCELING"
    code, _, error = frhead("runs", "retry", run_id, *where)
    assert code == 2 and "only a run that failed or was stopped can go on; found stopping" in error
    cluster.runs[run_id]["state"] = "CANCELED"
    assert frhead("runs", "retry", run_id, *where)[1] == f"run: {run_id}\n"
    assert cluster.changes() == [
        f"POST /apis/v2beta1/runs/{run_id}:{verb}" for verb in ("terminate", "retry")
    ]


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 1)])
def test_a_watch_ends_with_the_run_and_says_how(
    cluster, where, frhead, state: str, code: int
) -> None:
    run_id = detailed_run(cluster)
    cluster.runs[run_id]["state"] = state

    found, output, _ = frhead("runs", "watch", run_id, *where)

    assert found == code
    assert "train_modality: failed: out of memory" in output.splitlines()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (None, "", "does not accept the login (401 Unauthorized); found Request header error"),
        (403, '{"message": "no rights"}', "does not allow it (403 Forbidden); found no rights"),
        (404, '{"message": "gone"}', "has no such thing (404 Not Found); found gone"),
        (500, "<html>oops</html>", "failed (500 Internal Server Error); found oops"),
        (400, f'{{"message": "bad {TOKEN}"}}', "refused what it was asked (400 Bad Request)"),
    ],
)
def test_a_refusal_is_one_line_without_the_token(
    cluster, where, frhead, tmp_path: Path, status: int | None, body: str, expected: str
) -> None:
    if status is None:
        (tmp_path / "token").write_text("another-token")
    else:
        cluster.faults.append(Fault("GET", status, 9, body))

    code, output, error = frhead("runs", "show", "some-run", *where)

    assert (code, output) == (2, "")
    assert error.startswith(f"error: {cluster.url}: {expected}")
    assert error.count("\n") == 1
    assert TOKEN not in error and "another-token" not in error


def quick(cluster: StandIn, tmp_path: Path) -> KubeflowApi:
    (tmp_path / "token").write_text(TOKEN)
    endpoint = Endpoint(cluster.url, token_file=tmp_path / "token", seconds_between=0.01)
    return KubeflowApi(endpoint)


def test_what_is_not_available_for_a_while_is_asked_again(cluster, tmp_path: Path) -> None:
    run_id = cluster.add_run()
    cluster.faults.append(Fault("GET", 503, 2, headers={"Retry-After": "0"}))
    kubeflow = quick(cluster, tmp_path)

    assert kubeflow.call(kubeflow.runs.run_service_get_run, run_id).run_id == run_id
    assert len(cluster.requests) == 3


def test_what_stays_unavailable_is_said_after_all_tries(cluster, tmp_path: Path) -> None:
    cluster.faults.append(Fault("GET", 503, 99))
    kubeflow = quick(cluster, tmp_path)

    with pytest.raises(FRHeadError, match="is not available, after 5 tries"):
        kubeflow.call(kubeflow.runs.run_service_get_run, "run")
    assert len(cluster.requests) == 5


def test_a_run_is_never_started_twice(cluster, where, frhead) -> None:
    """Whether the server did it before it failed nobody knows, so it is not asked again."""
    cluster.faults.append(Fault("POST /apis/v2beta1/runs", 503, 99))

    code, _, error = frhead(*SUBMIT, *where)

    assert code == 2
    assert "(503 Service Unavailable)" in error
    assert len(cluster.asked("POST /apis/v2beta1/runs")) == 1


def test_nobody_there_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    kubeflow = KubeflowApi(Endpoint(url, seconds_between=0.01))

    with pytest.raises(FRHeadError, match=r"cannot be reached .*Connection refused") as caught:
        kubeflow.call(kubeflow.runs.run_service_get_run, "run")

    assert str(caught.value).startswith(f"{url}: ")
    assert "\n" not in str(caught.value)
    assert " object at " not in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("kubeflow.example.org", "is no address of an API; found kubeflow.example.org"),
        ("https://me:secret@kubeflow.example.org", "a login does not belong into an address"),
    ],
)
def test_an_address_that_is_none_is_refused(frhead, endpoint: str, problem: str) -> None:
    code, _, error = frhead("runs", "list", "--endpoint", endpoint)

    assert code == 2
    assert problem in error
    assert "secret" not in error


def test_a_token_file_that_is_none_is_named(cluster, frhead, tmp_path: Path) -> None:
    for content, problem in (("", "does not hold one token"), ("a b", "does not hold one token")):
        (tmp_path / "token").write_text(content)
        where = ["--endpoint", cluster.url, "--token-file", str(tmp_path / "token")]
        assert problem in frhead("runs", "list", *where)[2]


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        ({"display_name": "x", "nmae": 1}, "V2beta1Run", "body.nmae"),
        ({"display_name": 5}, "V2beta1Run", "body.display_name"),
        ({"state": "PERHAPS"}, "V2beta1Run", "body.state"),
        ({"runtime_config": {"parameters": []}}, "V2beta1Run", "body.runtime_config.parameters"),
        ({"no_catchup": "yes"}, "V2beta1RecurringRun", "body.no_catchup"),
        ({"trigger": {"cron_schedule": {"crom": ""}}}, "V2beta1RecurringRun", "crom"),
    ],
)
def test_the_stand_in_refuses_what_the_definition_does_not_have(
    value: Any, kind: str, problem: str
) -> None:
    with pytest.raises(DefinitionError, match=problem):
        check(value, kind)
