"""The form for a new run, its checks and uploads, and the REST API for the same."""

from __future__ import annotations

import io
import json
import os
import shlex
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from frhead_core.backbones import BACKBONES
from frhead_core.config import benchmark_names, load_recipe, override, recipe_from_json
from frhead_core.data.synthetic import write_nw_ucla
from frhead_core.recipe_variants import as_variant
from pipeline.cli import cli
from pipeline.commands.run import command
from pipeline.console.app import create_app
from pipeline.console.new_run_again import values_of
from pipeline.console.new_run_checks import checked_request
from pipeline.console.new_run_data import archive_name
from pipeline.console.new_run_fields import option_fields, settings_sections
from pipeline.console.settings import ConsoleSettings
from pipeline.local_run import LocalRun, _facts
from pipeline.options import chosen_recipe
from pipeline.run_folder import RunFolder
from tests.console.conftest import csrf_of, soup_of

PLACE = {"benchmark": "demo-nw-ucla", "recipe": "reference", "source": "place"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    return write_nw_ucla(folder / "all sqe.zip", seed=3, performers=2, replications=1)


class Form:
    """A browser in front of the form."""

    def __init__(self, work_directory: Path, **more: object) -> None:
        app = create_app(ConsoleSettings(work_directory=work_directory, **more))
        self.browser = TestClient(app, base_url="http://localhost", follow_redirects=False)
        self.queue = app.state.run_starter.queue
        self.work_directory = work_directory

    def page(self, query: str = ""):
        return soup_of(self.browser.get(f"/new{query}").text)

    def send(self, values: dict[str, object], files: object = None, do: str = "start"):
        csrf = csrf_of(self.browser.get("/new").text)
        data = {"csrf": csrf, "do": do, **values}
        # Without a file there is a part for one all the same, as browsers send it.
        return self.browser.post("/new", data=data, files=files or [("upload", ("", b""))])

    def mistakes(self, answer) -> dict[str, str]:
        assert answer.status_code == 422
        shown = soup_of(answer.text).select("[data-mistake]:not([hidden])")
        return {each["data-mistake"]: each.text.strip() for each in shown if each["data-mistake"]}

    @property
    def asked(self):
        return self.queue.in_state("queued")

    @property
    def uploads(self) -> list[Path]:
        folder = self.work_directory / "console" / "uploads"
        return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def form(tmp_path: Path) -> Form:
    return Form(tmp_path / "runs")


def test_every_option_of_the_command_and_every_setting_has_a_field(form):
    page = form.page("?benchmark=nw-ucla")
    names = {each["name"] for each in page.select("form.new-run [name]")}
    options = {each.name for each in command.params} - {"work_directory", "seeds"}
    assert options <= names
    keys = {each.name for part in settings_sections(load_recipe("nw-ucla")) for each in part.fields}
    assert keys <= names
    assert "settings.training.batch_size" in keys
    assert [each["value"] for each in page.select("#benchmark option")] == list(benchmark_names())
    assert {each.text for each in page.select("#backbone option")} >= set(BACKBONES)
    for each in page.select("form.new-run :is(input, select, textarea)"):
        if each.get("type") not in ("hidden", "checkbox", "radio"):
            assert page.select_one(f"label[for='{each['id']}']"), each
    assert len(str(page)) < 100_000


def test_defaults_and_limits_are_those_of_the_command_and_the_recipe(form):
    page = form.page("?benchmark=nw-ucla&recipe=fast")
    batch = page.select_one("[name='settings.training.batch_size']")
    assert (batch["placeholder"], batch["min"]) == ("32", "1.0")
    assert page.select_one("#epochs")["placeholder"] == "15"
    parallel = page.select_one("#parallel_modalities")
    assert (parallel["min"], parallel["max"], parallel["placeholder"]) == ("1", "2", "1")
    assert "containers" in page.select_one("#help-engine").text


def test_what_is_right_is_asked_for_and_the_command_would_do_the_same(form, raw):
    values = {
        **PLACE,
        "raw": str(raw),
        "epochs": "1",
        "modalities": ["joint", "bone"],
        "hold_out_validation": "on",
        "name": "a-first-try",
        "settings.head.version": "NO FN & FP",
        "settings": "training.batch_size=8\nloader.window=16",
    }
    checked = form.send(values, do="check")
    assert checked.status_code == 200
    page = soup_of(checked.text)
    assert "Nothing is wrong" in page.select_one("#said").text
    assert page.select_one("#settings").text.split() == [
        "training.batch_size=8",
        "loader.window=16",
    ]
    assert not form.asked
    shown = shlex.split(page.select_one("#command").text)
    answer = form.send(values)
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue/a-first-try")
    (entry,) = form.asked
    assert shown == ["frhead", *entry.arguments, "--name", "a-first-try"]
    context = cli.make_context("frhead", shown[1:])
    given = command.make_context("run", context.args or shown[2:]).params
    assert (given["raw"], given["epochs"], given["modalities"]) == (raw, 1, "joint,bone")
    assert "head.version=NO FN & FP" in given["settings"]
    assert given["work_directory"] == form.work_directory.resolve()


def test_mistakes_are_beside_their_fields_and_what_was_entered_is_kept(form):
    values = {
        **PLACE,
        "epochs": "0",
        "memory": "much",
        "name": "../../etc",
        "weights": "joint",
        "raw": "s3://NO/key",
        "champions": "<script>alert(1)</script>",
    }
    answer = form.send(values)
    found = form.mistakes(answer)
    assert found.keys() == {"epochs", "memory", "name", "weights", "raw"}
    assert "x>=1" in found["epochs"]
    assert "is no name of a bucket" in found["raw"]
    page = soup_of(answer.text)
    assert page.select_one("#epochs")["value"] == "0"
    assert page.select_one("#epochs")["aria-invalid"] == "true"
    assert page.select_one("#champions")["value"] == values["champions"]
    assert page.select_one("#raw").text.strip() == values["raw"]
    assert page.select_one("details:has(#memory)").has_attr("open")
    assert not form.asked


@pytest.mark.parametrize(
    ("values", "field", "text"),
    [
        ({"raw": "/nowhere/x.zip"}, "raw", "does not exist"),
        ({"raw": ""}, "raw", "needed"),
        ({"raw": "/dev/null"}, "raw", "zip"),
        ({"raw": "a\n-b"}, "raw", "does not exist"),
        ({"benchmark": "demo"}, "raw", "has no .skeleton file"),
        ({"benchmark": "nw-ucla"}, "raw", "1484"),
        ({"benchmark": "nothing"}, "benchmark", "unknown benchmark"),
        ({"benchmark": "--help"}, "benchmark", "Choose one"),
        ({"recipe": "fast"}, "benchmark", "no such recipe"),
        ({"modalities": "joint,ankle"}, "modalities", "unknown modality"),
        ({"backbone": "vgg"}, "backbone", "unknown backbone"),
        ({"precision": "int8"}, "precision", "bfloat16"),
        ({"settings.training.batch_size": "0"}, "settings.training.batch_size", "greater than 0"),
        ({"settings.head.version": "V9"}, "settings.head.version", "V0"),
        ({"settings.loader.window": "18"}, "settings.loader.window", "multiple of 4"),
        ({"settings": "training.bach_size=3"}, "settings", "Did you mean"),
        ({"settings": "training.batch_size=!!bool x"}, "settings", "not valid YAML"),
        ({"settings": "training.batch_size=2026-99-99"}, "settings", "not valid YAML"),
        ({"settings": "training.milestones=" + "[" * 450}, "settings", "YAML"),
        ({"processes": "3"}, "processes", "3"),
        ({"weights": "joint=/nowhere"}, "weights", "/nowhere"),
        ({"weights": "bone=/nowhere", "modalities": "joint"}, "weights", "not run"),
        ({"champions": "gs://bucket/x"}, "champions", "cannot be kept there"),
        ({"profile": "/nowhere.yaml", "engine": "process"}, "profile", "limits are for containers"),
        ({"pipeline_root": "gs://bucket/x"}, "pipeline_root", "s3://bucket/key"),
        ({"images": "data"}, "images", "is not one of"),
        ({"name": "cache"}, "name", "cannot be the name"),
        ({"name": "a\0b"}, "name", "cannot be printed"),
        ({"seed": "9" * 5000}, "seed", "not a valid integer"),
        ({"source": "synthetic", "benchmark": "nw-ucla"}, "source", "demo"),
    ],
)
def test_each_mistake_is_said_where_it_was_made(form, raw, values, field, text):
    found = form.mistakes(form.send({**PLACE, "raw": str(raw), **values}))
    assert found.keys() == {field}
    assert text in found[field]
    assert not form.asked


def test_raw_data_are_looked_at_although_something_else_is_wrong(form):
    found = form.mistakes(form.send({**PLACE, "raw": "/nowhere.zip", "epochs": "0"}))
    assert found.keys() == {"raw", "epochs"}


def test_settings_that_do_not_go_together_are_refused_by_the_whole_form(form, raw):
    values = {"settings.training.nesterov": "true", "settings.training.momentum": "0.0"}
    answer = form.send({**PLACE, "raw": str(raw), "settings": "training.nesterov=true", **values})
    assert answer.status_code == 422
    assert "nesterov needs a momentum" in answer.text


def test_a_name_is_not_given_twice(form, raw):
    values = {**PLACE, "raw": str(raw), "name": "one"}
    assert form.send(values).status_code == 303
    assert "of this name" in form.mistakes(form.send(values))["name"]
    (form.work_directory / "two").mkdir()
    assert "of this name" in form.mistakes(form.send({**values, "name": "two"}))["name"]


def test_another_benchmark_brings_its_settings_and_keeps_what_was_entered(form):
    values = {**PLACE, "benchmark": "ntu60-xsub", "epochs": "3", "name": "x"}
    page = soup_of(form.send(values, do="preset").text)
    assert page.select_one("#epochs")["value"] == "3"
    assert page.select_one("[name='settings.loader.train_crop']")["placeholder"] == "[0.5, 1.0]"
    assert not page.select("[data-mistake]:not([hidden])")
    assert not form.asked


def test_synthetic_recordings_are_made_once_and_their_command_is_shown(form):
    values = {"benchmark": "demo-nw-ucla", "source": "synthetic"}
    page = soup_of(form.send(values, do="check").text)
    made_first, run = page.select_one("#command").text.split("&& \\\n")
    assert made_first.startswith("frhead synthetic --layout nw-ucla --output ")
    archive = form.work_directory.resolve() / "console" / "synthetic" / "nw-ucla.zip"
    assert f"--raw {archive}" in run
    assert not archive.exists()
    assert form.send(values).status_code == 303
    content = archive.read_bytes()
    assert form.send(values).status_code == 303
    assert archive.read_bytes() == content
    assert len({entry.name for entry in form.asked}) == 2


def test_an_upload_becomes_the_raw_data(form, raw):
    values = {**PLACE, "source": "upload", "raw": "/elsewhere"}
    name = r"..\..//../über sqe<b>.zip"
    answer = form.send(values, [("upload", (name, raw.read_bytes()))])
    assert answer.status_code == 303
    (kept,) = form.uploads
    assert kept.name == "ber_sqe_b.zip"
    assert kept.read_bytes() == raw.read_bytes()
    (entry,) = form.asked
    assert entry.arguments[entry.arguments.index("--raw") + 1] == str(kept.resolve())
    assert "/elsewhere" not in entry.arguments


def test_an_upload_is_kept_when_something_else_is_wrong(form, raw):
    files = [("upload", ("all.zip", raw.read_bytes()))]
    answer = form.send({**PLACE, "source": "upload", "epochs": "0"}, files)
    assert form.mistakes(answer).keys() == {"epochs"}
    (kept,) = form.uploads
    page = soup_of(answer.text)
    assert page.select_one("#raw").text.strip() == str(kept.resolve())
    assert page.select_one("[name=source][checked]")["value"] == "place"


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4 or so"])
def test_an_upload_that_is_no_archive_is_not_kept(form, raw, content):
    files = [("upload", ("good.zip", raw.read_bytes())), ("upload", ("bad.zip", content))]
    found = form.mistakes(form.send({**PLACE, "source": "upload"}, files))
    assert "is no zip archive" in found["upload"]
    assert "bad.zip" in found["upload"]
    assert form.uploads == []
    assert list((form.work_directory / "console" / "uploads").iterdir()) == []


def test_an_upload_without_a_file_asks_for_one(form):
    found = form.mistakes(form.send({**PLACE, "source": "upload", "raw": "x"}))
    assert found["upload"] == "Choose a zip archive."


def test_an_upload_that_is_too_large_leaves_nothing(tmp_path, raw):
    form = Form(tmp_path / "runs", upload_limit=20_000)
    csrf = csrf_of(form.browser.get("/new").text)
    body = (
        f'--X\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n'
        '--X\r\nContent-Disposition: form-data; name="upload"; filename="a.zip"\r\n\r\n'
    ).encode() + raw.read_bytes()
    headers = {"Content-Type": "multipart/form-data; boundary=X"}
    pieces = (body[begin : begin + 5000] for begin in range(0, len(body), 5000))
    assert form.browser.post("/new", content=pieces, headers=headers).status_code == 413
    put = form.browser.put("/api/v1/uploads/a.zip", content=raw.read_bytes())
    assert put.status_code == 413
    assert list((form.work_directory / "console" / "uploads").iterdir()) == []


def test_an_upload_that_breaks_off_or_comes_from_elsewhere_leaves_nothing(form, raw):
    form.browser.get("/new")
    part = b'--X\r\nContent-Disposition: form-data; name="upload"; filename="a.zip"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=X"}
    for body in (part + raw.read_bytes(), part + raw.read_bytes() + b"\r\n--X--\r\n"):
        answer = form.browser.post("/new", content=body, headers=headers)
        assert answer.status_code in (403, 422)
    assert form.browser.post("/new", data={"csrf": "x"}).status_code == 422
    assert list((form.work_directory / "console" / "uploads").iterdir()) == []


def test_what_broke_off_with_the_console_goes_away_when_it_is_old(form):
    uploads = form.work_directory / "console" / "uploads"
    for name, age in ((".partial-old", 90_000), (".partial-new", 60), ("kept", 90_000)):
        (uploads / name).mkdir(parents=True)
        os.utime(uploads / name, (time.time() - age,) * 2)
    Form(form.work_directory)
    assert sorted(path.name for path in uploads.iterdir()) == [".partial-new", "kept"]


@given(st.text(max_size=300))
def test_the_name_of_an_upload_stays_in_its_folder(name):
    kept = archive_name(name)
    assert Path(kept).name == kept
    assert kept.endswith(".zip")
    assert not kept.startswith((".", "-"))
    assert "," not in kept
    assert kept.isascii()
    assert len(kept) < 120


def test_while_somebody_writes_the_command_and_the_mistakes_are_told(form, raw):
    csrf = csrf_of(form.browser.get("/new").text)
    values = {**PLACE, "csrf": csrf, "raw": str(raw), "epochs": "0"}
    found = form.browser.post("/new/check", data=values).json()
    assert found["mistakes"].keys() == {"epochs"}
    assert shlex.quote(str(raw)) in found["command"]
    uploading = {**values, "source": "upload", "raw": "all.zip", "epochs": "2"}
    assert form.browser.post("/new/check", data=uploading).json()["mistakes"] == {}
    assert form.browser.post("/new/check", data={**values, "csrf": "x"}).status_code == 403


VALUES = st.one_of(st.text(max_size=60), st.from_regex(r"[a-z.]{1,20}=.{0,30}", fullmatch=True))


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(
        st.sampled_from([*option_fields(), "benchmark", "source", "settings.head.alpha"]), VALUES
    )
)
def test_whatever_is_entered_is_answered(tmp_path, values):
    if values.get("engine") == "docker":
        return
    checked = checked_request({**PLACE, **values}, tmp_path, tmp_path / "console")
    assert checked.mistakes
    assert checked.command.startswith("frhead run ")


def recorded(work_directory: Path, recipe, **more: object) -> RunFolder:
    run = LocalRun(recipe, ["joint", "bone"], Path("raw.zip"), work_directory, **more)
    folder = RunFolder(work_directory / "earlier")
    folder.path.mkdir(parents=True)
    folder.record(_facts(run) | {"status": "failed", "seconds": 1.0, "steps": []})
    return folder


@pytest.mark.parametrize(
    ("benchmark", "variant", "changes"),
    [
        ("demo", "reference", {}),
        ("nw-ucla", "fast", {"training.seed": 5}),
        ("ntu60-xsub", "reference", {"model.backbone": "stgcn", "training.epochs": 2}),
        ("nw-ucla", "reference", {"ensemble": None, "head.version": "NO FN & FP"}),
        ("ntu120-xset", "reference", {"training.epochs": {
            "joint": 1, "bone": 2, "joint_motion": 3, "bone_motion": 4}}),
        ("nw-ucla", "reference", {"name": "my own", "training.hold_out_validation": True}),
    ],
)  # fmt: skip
def test_a_form_filled_from_a_run_makes_the_same_recipe(form, benchmark, variant, changes):
    recipe = override(as_variant(load_recipe(benchmark), variant), changes)
    folder = recorded(form.work_directory, recipe, threads=3, memory=2**30, processes=2)
    values = values_of(folder, form.work_directory / "console")
    assert values["threads"] == "3"
    assert values["processes"] == "2"
    assert values["memory"] == str(2**30)
    assert values["modalities"] == "joint,bone"
    assert values["raw"] == str(Path("raw.zip").resolve())
    page = form.page("?from=earlier")
    entered = {each["name"]: each["value"] for each in page.select("form.new-run input[value]")}
    assert entered["threads"] == "3"
    checked = checked_request(values, form.work_directory, form.work_directory / "console")
    given = command.make_context("run", list(checked.arguments[1:])).params
    names = (*("benchmark", "recipe", "epochs", "seed", "precision", "backbone"),
             *("hold_out_validation", "settings"))  # fmt: skip
    made = chosen_recipe(**{name: given[name] for name in names})
    expected = recipe_from_json(json.loads((folder.path / "run.json").read_text())["recipe"])
    assert made == expected


def test_a_form_cannot_be_filled_from_what_is_not_there(form):
    assert form.browser.get("/new?from=nothing").status_code == 404
    assert form.browser.get("/new?from=../x").status_code == 422


def test_the_api_starts_runs_and_refuses_with_the_field(form, raw):
    asked = {"benchmark": "demo-nw-ucla", "raw": [str(raw)], "modalities": ["bone", "joint"]}
    answer = form.browser.post("/api/v1/runs", json={**asked, "epochs": 2, "name": "mine"})
    assert answer.status_code == 202
    entry = answer.json()
    assert (entry["name"], entry["state"]) == ("mine", "queued")
    assert "bone,joint" in entry["arguments"]
    for wrong, place in (
        ({"epochs": 0}, ["body", "epochs"]),
        ({"epoch": 1}, ["body", "epoch"]),
        ({"raw": ["/nowhere"]}, ["body", "raw"]),
        ({"settings": ["training.x=1"]}, ["body", "settings"]),
        ({"synthetic": True, "benchmark": "nw-ucla"}, ["body", "synthetic"]),
        ({"name": "mine"}, ["body", "name"]),
    ):
        answer = form.browser.post("/api/v1/runs", json={**asked, **wrong})
        assert answer.status_code == 422
        assert [each["loc"] for each in answer.json()["detail"]] == [place]
    assert [each["name"] for each in form.browser.get("/api/v1/queue").json()] == ["mine"]


def test_the_api_takes_uploads(form, raw):
    answer = form.browser.put("/api/v1/uploads/..%5cx.zip", content=raw.read_bytes())
    assert answer.status_code == 201
    place = Path(answer.json()["place"])
    assert place.read_bytes() == raw.read_bytes()
    assert place.parent.parent == form.work_directory.resolve() / "console" / "uploads"
    refused = form.browser.put("/api/v1/uploads/x.zip", content=b"no archive")
    assert refused.status_code == 422


def test_the_queue_is_shown_and_changed(form, raw):
    for name in ("one", "two", "three"):
        form.send({**PLACE, "raw": str(raw), "name": name})
    api = form.browser
    csrf = csrf_of(api.get("/queue").text)
    assert api.post("/queue/three/first", data={"csrf": csrf}).headers["location"] == "/queue"
    assert api.post("/queue/two/withdraw", data={"csrf": csrf}).status_code == 303
    assert api.post("/queue/one/withdraw", data={"csrf": "x"}).status_code == 403
    rows = soup_of(api.get("/queue").text).select("tbody th")
    assert [row.text for row in rows] == ["three", "one"]
    assert "starts as soon as" in api.get("/queue/one").text
    assert api.get("/queue/two").status_code == 404
    assert api.post("/api/v1/queue/one/first").json()["name"] == "one"
    assert api.post("/api/v1/queue/one/stop").status_code == 409
    assert api.delete("/api/v1/queue/one").status_code == 204
    assert api.delete("/api/v1/queue/one").status_code == 404
    assert api.get("/api/v1/queue/three/output").json() == {"text": ""}


def test_what_failed_before_its_first_step_shows_why_and_can_be_tried_again(form):
    queue = form.queue
    queue.add(["bad"], "demo", ["run", "demo"])
    queue.take("bad")
    folder = form.work_directory / "console" / "processes" / "bad"
    folder.mkdir(parents=True)
    (folder / "output.txt").write_text("error: <b>no</b> such option")
    queue.end("bad", "failed")
    page = form.browser.get("/queue/bad")
    assert "error: <b>no</b> such option" in soup_of(page.text).pre.text
    again = form.browser.post("/queue/bad/retry", data={"csrf": csrf_of(page.text)})
    (entry,) = form.asked
    assert again.headers["location"] == f"/queue/{entry.name}"
    assert (entry.arguments, entry.again) == (["run", "demo"], "bad")
    assert form.browser.post("/api/v1/queue/bad/retry").json()["name"] == entry.name
    assert form.browser.post(f"/api/v1/queue/{entry.name}/retry").status_code == 422


def test_a_run_that_ended_before_its_time_is_asked_for_again_once(form):
    folder = recorded(form.work_directory, load_recipe("demo"))
    page = form.browser.get("/runs/earlier")
    soup = soup_of(page.text)
    assert soup.select_one("a.button")["href"] == "/new?from=earlier"
    (retry,) = soup.select("form[action$='/retry']")
    answer = form.browser.post(retry["action"], data={"csrf": csrf_of(page.text)})
    (entry,) = form.asked
    assert answer.headers["location"] == f"/queue/{entry.name}"
    place = str(form.work_directory.resolve())
    assert entry.arguments == ["runs", "retry", "earlier", "--work-directory", place]
    assert form.browser.post("/api/v1/runs/earlier/retry").json()["name"] == entry.name
    assert len(form.asked) == 1
    folder.record(json.loads((folder.path / "run.json").read_text()) | {"status": "done"})
    assert form.browser.post("/api/v1/runs/earlier/retry").status_code == 422
    assert not soup_of(form.browser.get("/runs/earlier").text).select("form[action$='/retry']")


def test_archives_of_uploads_are_what_the_steps_read(tmp_path):
    """An archive that only looks like one at its end is refused when the run is checked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    form = Form(tmp_path / "runs")
    files = [("upload", ("all.zip", buffer.getvalue()))]
    found = form.mistakes(form.send({**PLACE, "source": "upload"}, files))
    assert "has no .json file" in found["raw"]
