"""The page of a run and of its steps: the graph, timing, artifacts, curves, and the command."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from components.events import FILE_NAME, EventFile
from frhead_core.config import Recipe, load_recipe, override, recipe_from_json, recipe_to_json
from frhead_core.recipe_variants import as_variant
from pipeline import options
from pipeline.commands.run import command as run_command
from pipeline.console.run_command import command_of
from pipeline.console.run_facts import run_facts
from pipeline.run_folder import RunFolder
from tests.console.conftest import FAILED, MARKUP, RUNNING, record, soup_of, write_step
from tests.console.finished_run import MODALITIES, TINY, asked

PREPARING = (
    "fingerprint_data",
    "extract_raw_skeletons",
    "denoise_skeletons",
    "transform_sequences",
)
TRAINING = "train_modality-joint"


def words_by_step(page) -> dict[str, str]:
    """What the graph says of each step; the narrow one says the same as the wide one."""
    wide, narrow = page.select("svg.dag")
    labels = [[box["aria-label"] for box in each.select(".box")] for each in (wide, narrow)]
    assert labels[0] == labels[1]
    return dict(label.split(": ", 1) for label in labels[0])


def steps_of(program, run: str) -> dict[str, dict]:
    return {step["name"]: step for step in program.get(f"/api/v1/runs/{run}/dag").json()}


def test_the_graph_of_a_finished_run_has_its_own_steps_and_leads_to_each(finished_run):
    program = asked(finished_run)
    page = soup_of(program.get(f"/runs/{finished_run.name}").text)
    said = words_by_step(page)
    looped = [
        f"{step} {name}" for step in ("train_modality", "evaluate_modality") for name in MODALITIES
    ]
    assert set(said) == {*PREPARING, *looped, "ensemble_modalities"}
    assert all(text.startswith("done · 0:") for text in said.values())
    links = {box["href"] for box in page.select("svg.wide a.box")}
    assert len(links) == len(said)
    assert all(program.get(link).is_success for link in links)


def test_a_step_waits_for_those_before_it_and_the_ensemble_for_all_modalities(finished_run):
    steps = steps_of(asked(finished_run), finished_run.name)
    known: set[str] = set()
    for step in steps.values():
        assert set(step["after"]) <= known
        known.add(step["name"])
    assert steps["evaluate_modality-bone"]["after"] == ["train_modality-bone"]
    assert {f"evaluate_modality-{name}" for name in MODALITIES} < set(
        steps["ensemble_modalities"]["after"]
    )
    assert [name for name, step in steps.items() if step["always_runs"]] == ["fingerprint_data"]


def test_the_graph_of_a_running_run_says_how_far_it_is_and_what_waits(client):
    browser = client()
    said = words_by_step(soup_of(browser.get(f"/runs/{RUNNING}").text))
    assert said["train_modality joint"].startswith("running 25 % · ")
    assert said["evaluate_modality joint"] == said["train_modality bone"] == "waiting"
    step = steps_of(browser, RUNNING)[TRAINING]
    assert (step["state"], step["share"], step["ended"]) == ("running", 0.25, None)


def test_the_graph_of_a_failed_run_says_where_and_what_was_not_run(client):
    page = soup_of(client().get(f"/runs/{FAILED}").text)
    said = words_by_step(page)
    assert said.pop("extract_raw_skeletons").startswith("failed")
    assert set(said.values()) == {"not run"}
    assert len(page.select("svg.wide a.box")) == 1  # the others have no page


def test_only_a_run_with_champions_has_a_promotion(work_directory, client):
    record(work_directory, "promoting", "failed", champions="champions", modalities=["joint"])
    steps = steps_of(client(), "promoting")
    assert steps["promote_model"]["after"][0] == "ensemble_modalities"
    assert "promote_model" not in steps_of(client(), FAILED)


def test_a_step_tells_its_parameters_artifacts_and_times(finished_run):
    program = asked(finished_run)
    step = program.get(f"/api/v1/runs/{finished_run.name}/steps/{TRAINING}").json()
    assert step["state"] == "done" and step["cached_from"] == ""
    assert step["queued"] <= step["started"] < step["ended"]
    assert step["parameters"]["modality"] == "joint"
    assert recipe_from_json(step["parameters"]["recipe"]).training.epochs.joint == 1
    assert [each["name"] for each in step["inputs"]] == ["sequences"]
    outputs = {each["name"]: each for each in step["outputs"]}
    assert outputs.keys() == {"model", "metrics"}
    assert outputs["model"]["maker"] == finished_run.name
    sizes = {each["path"]: each["size"] for each in outputs["model"]["files"]}
    place = Path(outputs["model"]["place"])
    assert sizes["history.jsonl"] == (place / "history.jsonl").stat().st_size
    page = soup_of(program.get(f"/runs/{finished_run.name}/steps/{TRAINING}").text)
    facts = {each.text: each.find_next("dd").text for each in page.select("dl.facts dt")}
    assert facts["modality"] == "joint" and facts["Queued"] and facts["weights"] == "empty"


def test_files_of_artifacts_are_opened_as_text_and_downloaded(finished_run):
    program, address = asked(finished_run), f"/runs/{finished_run.name}/steps/{TRAINING}"
    page = soup_of(program.get(address).text)
    opened = {link["aria-label"]: link["href"] for link in page.select(".files a")}
    card = program.get(opened["Open README.md"])
    assert card.headers["content-type"] == "text/plain; charset=utf-8"
    assert card.headers["x-content-type-options"] == "nosniff"
    assert "Open last.safetensors" not in opened
    weights = program.get(opened["Download last.safetensors"])
    assert weights.headers["content-disposition"].startswith("attachment")
    place = program.get(f"/api/v1{address}").json()["outputs"][1]["place"]
    assert weights.content == (Path(place) / "last.safetensors").read_bytes()
    same = program.get(f"/api/v1{address}/artifacts/model?path=last.safetensors")
    assert same.content == weights.content


@pytest.fixture
def spoilt(work_directory, tmp_path):
    """Outputs that lie elsewhere, and an artifact from which links and paths lead out."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    artifact = work_directory / "artifacts" / "made" / "step" / "folder"
    artifact.mkdir(parents=True)
    (artifact / "own.txt").write_text("own")
    (artifact / "page.html").write_text(MARKUP)
    (artifact / "linked.txt").symlink_to(secret)
    (work_directory / "artifacts" / "linked").symlink_to(tmp_path)
    outputs = {
        "folder": str(artifact),
        "outside": str(secret),
        "around": str(artifact / ".." / ".." / ".." / ".." / ".." / "secret.txt"),
        "through": str(work_directory / "artifacts" / "linked" / "secret.txt"),
        "remote": "s3://bucket/key",
        "number": 7,
        "several": [str(artifact)],
        "nothing": "\0",
        "runs": str(work_directory),
    }
    events = EventFile(work_directory / RUNNING / "steps" / TRAINING / FILE_NAME)
    events.write("queued", parameters={"text": MARKUP, MARKUP: [1]}, inputs={"sequences": "/none"})
    events.write("outputs", outputs=outputs)


def test_nothing_but_artifacts_of_the_run_can_be_read(client, spoilt):
    browser, address = client(), f"/runs/{RUNNING}/steps/{TRAINING}/artifacts"
    assert browser.get(f"{address}/folder?path=own.txt").text == "own"
    assert (
        browser.get(f"{address}/folder?path=page.html")
        .headers["content-type"]
        .startswith("text/plain")
    )
    outside = [
        "outside",
        "around",
        "through",
        "remote",
        "number",
        "several",
        "nothing",
        "runs",
        "none",
    ]
    paths = ["linked.txt", "../../../../secret.txt", "/etc/passwd", "..", "", "%00", "own.txt/x"]
    for place in (*outside, *(f"folder?path={path}" for path in paths)):
        for way in (
            place,
            place.replace("?", "/download?") if "?" in place else f"{place}/download",
        ):
            assert browser.get(f"{address}/{way}").status_code == 404, way
        assert browser.get(f"/api/v1{address}/{place}").status_code == 404, place
    answer = browser.get(f"/runs/{RUNNING}/steps/{TRAINING}")
    assert "secret.txt" not in {each.text for each in soup_of(answer.text).select(".files li")}
    page = soup_of(answer.text)
    assert MARKUP in page.select_one("dl.facts dt").text + page.text
    assert len(page.select("script")) == 1


def test_a_cached_step_leads_to_the_run_that_made_its_results(client, work_directory):
    made = work_directory / "artifacts" / "job" / "step" / "model"
    made.mkdir(parents=True)
    (work_directory / "artifacts" / "job" / "run.txt").write_text(f"{FAILED}\n")
    step = work_directory / RUNNING / "steps" / "denoise_skeletons"
    step.mkdir()
    EventFile(step / FILE_NAME).write("queued", parameters={}, inputs={})
    EventFile(step / FILE_NAME).write("cached", outputs={"denoised": str(made)})
    browser = client()
    page = soup_of(browser.get(f"/runs/{RUNNING}/steps/denoise_skeletons").text)
    assert f"the results of {FAILED}" in page.select_one("[data-refresh]").text
    told = browser.get(f"/api/v1/runs/{RUNNING}/steps/denoise_skeletons").json()
    assert (told["state"], told["cached_from"], told["parameters"]) == ("cached", FAILED, {})
    said = words_by_step(soup_of(browser.get(f"/runs/{RUNNING}").text))
    assert said["denoise_skeletons"] == "cached"


def curves(program, run: str) -> dict:
    return program.get(f"/api/v1/runs/{run}/curves").json()


def test_curves_are_there_while_it_trains_and_after(client, work_directory, finished_run):
    rows = curves(asked(finished_run), finished_run.name)
    assert {name: len(each["epochs"]) for name, each in rows.items()} == dict.fromkeys(
        MODALITIES, 1
    )
    assert rows["joint"]["batch_losses"][-1][0] == 1.0  # epochs
    browser = client()
    assert curves(browser, RUNNING) == {}
    events = EventFile(work_directory / RUNNING / "steps" / TRAINING / FILE_NAME)
    for epoch in (1, 2):
        events.write(
            "epoch", figures={"epoch": epoch, "train_loss": 3.0 / epoch, "evaluated_part": "test"}
        )
    assert [row["train_loss"] for row in curves(browser, RUNNING)["joint"]["epochs"]] == [3.0, 1.5]
    page = soup_of(browser.get(f"/runs/{RUNNING}/steps").text)
    assert len(page.select("polyline.joint.training")) == 1


def test_curves_of_cached_trainings_are_those_of_the_model(work_directory, client):
    made = work_directory / "artifacts" / "job" / "model"
    made.mkdir(parents=True)
    lines = ['{"epoch": 1, "top1": 50.0}', '{"epoch": "x"}', "[]"]
    (made / "history.jsonl").write_text("\n".join(lines))
    run = record(work_directory, "cached", "failed", modalities=["joint"])
    write_step(run, TRAINING, "")
    EventFile(run / "steps" / TRAINING / FILE_NAME).write("cached", outputs={"model": str(made)})
    assert curves(client(), "cached")["joint"]["epochs"] == [{"epoch": 1.0, "top1": 50.0}]
    (made / "history.jsonl").write_text("no JSON")
    assert curves(client(), "cached") == {}


def test_the_header_says_what_was_run_and_the_command_runs_the_same(finished_run):
    page = soup_of(asked(finished_run).get(f"/runs/{finished_run.name}").text)
    facts = {each.dt.text: each.dd.text for each in page.select(".summary div")}
    assert facts["Backbone"] == "ctrgcn" and facts["Modalities"] == "joint, bone"
    assert (facts["Precision"], facts["Seed"], facts["Epochs"]) == ("float32", "1", "1")
    known = run_facts(RunFolder(finished_run))
    assert read_command(page.select_one("pre.command").text) == (
        override(load_recipe("demo-nw-ucla"), TINY),
        {"raw": Path(known.raw), "modalities": "joint,bone", "work_directory": finished_run.parent},
    )


def read_command(text: str) -> tuple[object, dict[str, object]]:
    """The recipe that the command itself makes of this, and some of its options."""
    program, name, *arguments = shlex.split(text)
    assert (program, name) == ("frhead", "run")
    given = run_command.make_context("run", arguments).params
    _, changes = options.apart(given)
    recipe = options.chosen_recipe(**{"benchmark": given["benchmark"]} | changes)
    return recipe, {key: given[key] for key in ("raw", "modalities", "work_directory")}


FAST = as_variant(load_recipe("nw-ucla"), "fast")


@pytest.mark.parametrize(
    "recipe",
    [
        load_recipe("ntu60-xsub"),
        override(load_recipe("nw-ucla"), {"model.backbone": "tcagcn", "head.version": "V2"}),
        override(FAST, {"training.seed": 7, "training.precision": "bfloat16"}),
        override(FAST, {"training.epochs.joint": 3, "training.hold_out_validation": True}),
        override(load_recipe("demo"), {"title": "it's: {odd}", "ensemble.bone": 2.0}),
    ],
)
def test_commands_give_the_recipe_that_was_run(recipe, tmp_path):
    text = command_of(recorded(tmp_path, recipe), tmp_path)
    assert text is not None
    assert read_command(text)[0] == recipe


def recorded(work_directory: Path, recipe: Recipe | str, **facts: object) -> RunFolder:
    text = recipe if isinstance(recipe, str) else recipe_to_json(recipe)
    usual = {"recipe": text, "given": {}, "champions": "", "how": {}}
    return RunFolder(record(work_directory, "run", "failed", **usual | facts))


def test_of_a_recipe_of_ones_own_no_command_is_claimed(tmp_path):
    own = recipe_to_json(load_recipe("demo")).replace('"name":"demo"', '"name":"mine"')
    for place, text in enumerate((own, "{}", "no JSON")):
        assert command_of(recorded(tmp_path / str(place), text), tmp_path) is None


def test_other_options_of_the_run_are_in_the_command(tmp_path):
    folder = recorded(
        tmp_path,
        load_recipe("demo"),
        raw="one.zip,s3://bucket/two.zip",
        given={"bone": {"directory": "models/bone", "digest": ""}},
        champions="champions",
        how={"processes": 2, "images": {"data": "own:1"}, "accept_different_threads": True},
    )
    text = command_of(folder, tmp_path)
    for part in (
        "--raw one.zip --raw s3://bucket/two.zip",
        "--weights bone=models/bone",
        "--champions champions",
        "--processes 2",
        "--image data=own:1",
        "--accept-different-threads",
    ):
        assert part in text
    assert "--engine" not in text and "--output" not in text
