"""``frhead schedule`` against the stand-in for the Kubeflow Pipelines API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.cli import exit_code_of
from tests.compiled_once import compiled_once
from tests.kfp_stand_in import Fault, StandIn, serving

__all__ = ["compiled_once"]

FILE = """\
time_zone: Europe/Berlin
schedules:
  nightly:
    cron: "0 30 2 * * 1-5"
    benchmark: nw-ucla
    raw: [s3://data/all_sqe.zip]
    modalities: [joint]
    settings: {training.epochs: 3}
    champions: s3://models/champions
    service_account: runner
"""

EXTERNAL = Path(__file__).parents[2] / "manifests" / "profiles" / "external-s3.yaml"
pytestmark = pytest.mark.usefixtures("compiled_once")


@pytest.fixture
def cluster() -> Iterator[StandIn]:
    with serving() as state:
        yield state
        assert state.violations == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schedules.yaml"
    path.write_text(FILE)
    return path


Schedule = Callable[..., str]


@pytest.fixture
def schedule(cluster: StandIn, capsys: pytest.CaptureFixture[str]) -> Schedule:
    """Runs a subcommand, and returns what it prints; changes are forgotten before it."""

    def run(*arguments: str | Path, code: int = 0) -> str:
        cluster.requests.clear()
        found = exit_code_of(["schedule", *map(str, arguments), "--endpoint", cluster.url])
        output, error = capsys.readouterr()
        assert found == code, error
        return output or error

    return run


def only(cluster: StandIn) -> dict:
    (run,) = cluster.recurring_runs.values()
    return run


def test_a_schedule_is_created_as_it_is_declared(cluster, schedule, file) -> None:
    output = schedule("apply", file)

    run = only(cluster)
    assert output.startswith(
        "nightly: created\n  at 02:30, Monday through Friday, in Europe/Berlin"
    )
    assert run["trigger"] == {"cron_schedule": {"cron": "0 30 2 * * 1-5"}}
    assert (run["max_concurrency"], run["no_catchup"], run["status"]) == ("1", True, "ENABLED")
    assert run["service_account"] == "runner"
    assert run["runtime_config"]["parameters"]["champions"] == "s3://models/champions"


def test_a_profile_says_what_recurring_runs_get(cluster, schedule, file, monkeypatch) -> None:
    monkeypatch.setenv("KFP_TOKEN", "token")
    file.write_text(FILE.replace("    service_account: runner\n", ""))
    schedule("apply", file, "--profile", EXTERNAL)

    assert only(cluster)["service_account"] == "frhead-runner"
    (version,) = cluster.versions.values()
    assert version["pipeline_spec"]["defaultPipelineRoot"] == "s3://example-frhead/frhead"
    assert schedule("apply", file, "--profile", EXTERNAL).startswith("nightly: unchanged\n")


def test_applying_again_changes_nothing(cluster, schedule, file) -> None:
    schedule("apply", file)
    assert schedule("apply", file).startswith("nightly: unchanged\n")
    assert cluster.changes() == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0 30 2", "0 45 2"),
        ("epochs: 3", "epochs: 4"),
        ("all_sqe", "other"),
        ("[joint]", "[joint, bone]"),
        ("service_account: runner", "max_concurrency: 2"),
        ("service_account: runner", "catch_up: true"),
    ],
)
def test_whatever_differs_replaces_it_and_never_two_are_active(
    cluster, schedule, file, old: str, new: str
) -> None:
    schedule("apply", file)
    before = only(cluster)["recurring_run_id"]
    file.write_text(FILE.replace(old, new))

    assert schedule("apply", file).startswith("nightly: replaced\n")

    assert only(cluster)["recurring_run_id"] != before
    steps = [each for each in cluster.changes() if "recurringruns" in each]
    assert steps == [
        f"POST /apis/v2beta1/recurringruns/{before}:disable",
        "POST /apis/v2beta1/recurringruns",
        f"DELETE /apis/v2beta1/recurringruns/{before}",
    ]
    assert schedule("apply", file).startswith("nightly: unchanged\n")


def test_a_dry_run_changes_nothing_at_all(cluster, schedule, file) -> None:
    assert schedule("apply", file, "--dry-run").startswith("nightly: created\n")
    assert (cluster.changes(), cluster.recurring_runs, cluster.pipelines) == ([], {}, {})


def test_one_that_is_paused_stays_so_unless_the_file_says_otherwise(
    cluster, schedule, file
) -> None:
    schedule("apply", file)
    assert schedule("pause", "nightly") == "nightly: paused\n"
    assert schedule("apply", file).startswith("nightly: unchanged, paused\n")
    file.write_text(FILE.replace("0 30 2", "0 45 2"))
    assert schedule("apply", file).startswith("nightly: replaced, paused\n")
    assert only(cluster)["status"] == "DISABLED"

    file.write_text(file.read_text() + "    paused: false\n")
    assert schedule("apply", file).startswith("nightly: resumed\n")
    assert only(cluster)["status"] == "ENABLED"
    file.write_text(file.read_text().replace("paused: false", "paused: true"))
    assert schedule("apply", file).startswith("nightly: paused\n")
    assert schedule("resume", "nightly") == "nightly: resumed\n"
    assert only(cluster)["status"] == "ENABLED"


def test_the_old_one_goes_on_when_the_new_one_cannot_be_created(cluster, schedule, file) -> None:
    schedule("apply", file)
    before = only(cluster)["recurring_run_id"]
    file.write_text(FILE.replace("0 30 2", "0 45 2"))
    # The first request that begins so disables the old one, the second creates the new one.
    cluster.faults.append(Fault("POST /apis/v2beta1/recurringruns", 503, 1, after=1))

    assert "503" in schedule("apply", file, code=2)

    assert only(cluster)["recurring_run_id"] == before
    assert only(cluster)["status"] == "ENABLED"


def test_what_an_interrupted_replacement_left_is_tidied_up(cluster, schedule, file) -> None:
    schedule("apply", file)
    cluster.recurring_runs["left"] = {
        **only(cluster),
        "recurring_run_id": "left",
        "description": f"frhead schedule {'0' * 16}",
        "status": "DISABLED",
    }

    assert schedule("apply", file).startswith("nightly: unchanged\n")
    assert "left" not in cluster.recurring_runs
    assert only(cluster)["status"] == "ENABLED"


def test_others_are_left_alone_and_our_own_only_deleted_when_asked(cluster, schedule, file) -> None:
    schedule("apply", file)
    cluster.recurring_runs["foreign"] = {
        "recurring_run_id": "foreign",
        "display_name": "by hand",
        "trigger": {"periodic_schedule": {"interval_second": "60"}},
        "status": "ENABLED",
    }
    file.write_text("schedules: {}\n")

    assert schedule("apply", file) == "nightly: undeclared\n"
    assert len(cluster.recurring_runs) == 2
    assert schedule("apply", file, "--prune") == "nightly: deleted\n"
    assert list(cluster.recurring_runs) == ["foreign"]
    assert "every 60 seconds" in schedule("list")

    file.write_text(FILE.replace("nightly", "by-hand"))
    cluster.recurring_runs["foreign"]["display_name"] = "by-hand"
    assert "made by other means" in schedule("apply", file, code=2)
    assert schedule("delete", "by-hand") == "by-hand: deleted\n"
    assert "no such schedule; found by-hand" in schedule("delete", "by-hand", code=2)


def test_the_list_says_when_in_words(schedule, file) -> None:
    schedule("apply", file)

    output = schedule("list", "--time-zone", "Asia/Tokyo")

    assert "nightly   active  1" in output
    assert "0 30 2 * * 1-5: at 02:30, Monday through Friday, in Asia/Tokyo; next: " in output


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"0 30 2 * * 1-5"', '"30 2 * * 1-5"', ":4: schedules.nightly.cron: .*six fields"),
        ("cron:", "corn:", ":4: schedules.nightly.corn: unknown key. Did you mean cron?"),
        ("nightly:", "Nightly!:", "'Nightly!' is no name"),
        ("Europe/Berlin", "Europe/Bonn", "time_zone: 'Europe/Bonn' is none"),
        ("training.epochs: 3", "training.epohs: 3", ":3: schedules.nightly.*training.epohs"),
        ("benchmark: nw-ucla", "benchmark: nw-ulca", "unknown benchmark"),
        ("service_account: runner", "max_concurrency: 0", ":10: schedules.nightly.max_concurrency"),
    ],
)
def test_a_mistake_in_the_file_is_named_before_anything_is_asked(
    cluster, schedule, file, old: str, new: str, problem: str
) -> None:
    file.write_text(FILE.replace(old, new))

    error = schedule("apply", file, code=2)

    assert re.search(problem, error), error
    assert cluster.requests == []


def test_a_file_is_explained_without_a_cluster(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(["schedule", "explain", str(file)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("nightly  0 30 2 * * 1-5  at 02:30, Monday through Friday, in Europe")
    assert output.count("02:30:00 CE") >= 3
