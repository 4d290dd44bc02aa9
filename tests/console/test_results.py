"""The results of a run that was really run, as pages and as JSON."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from frhead_core.data.store import SequenceStore
from frhead_core.evaluation import metrics
from frhead_core.evaluation.ensemble import combine
from frhead_core.evaluation.scores import Scores
from frhead_core.evaluation.skeleton_player import animation
from pipeline.console.routes import results as results_routes
from tests.console.conftest import MARKUP, record, soup_of
from tests.console.finished_run import MODALITIES, asked, change_record

HERE = {"Host": "localhost"}


def pages(run: Path) -> str:
    return f"/runs/{run.name}/results"


def api(run: Path) -> str:
    return f"/api/v1{pages(run)}"


def scores_of(run: Path, name: str, which: str = "last") -> Scores:
    return Scores.load(run / "results" / "scores" / name / f"{which}.npz")


def store_of(run: Path) -> SequenceStore:
    steps = {each["name"]: each for each in json.loads((run / "run.json").read_text())["steps"]}
    return SequenceStore.open(Path(steps["transform_sequences"]["outputs"]["sequences"]))


@pytest.fixture
def browser(finished_run):
    return asked(finished_run)


def test_the_table_has_last_and_best_epochs_of_every_modality_and_the_ensemble(
    browser, finished_run
):
    rows = soup_of(browser.get(pages(finished_run)).text).select(".accuracies tbody tr")
    assert [row.th.text for row in rows] == ["joint", "bone", "ensemble"]
    for row in rows:
        for label, which in (("Last epoch", "last"), ("Best epoch on test", "best_on_test")):
            scores = scores_of(finished_run, row.th.text, which)
            right = metrics.top_k_right(scores.logits, scores.labels, 1)
            told = row.select_one(f"[data-label='{label}']")
            assert told.strong.text == f"{100 * right / len(scores):.2f}"
            assert f"{right} of {len(scores)}" in told.text


def test_published_figures_stand_beside_those_of_the_best_epoch(copied_run):
    figures = {"joint": 50.0, "bone": 40.0, "joint_motion": 30.0, "bone_motion": 20.0}

    def publish(facts):
        published = {"published": figures | {"ensemble": 60.0}}
        facts["recipe"] = json.dumps(json.loads(facts["recipe"]) | published)

    change_record(copied_run, publish)
    row = soup_of(asked(copied_run).get(pages(copied_run)).text).select_one(".accuracies tbody tr")
    scores = scores_of(copied_run, "joint", "best_on_test")
    best = metrics.top_k_accuracy(scores.logits, scores.labels, 1)
    assert row.select_one("[data-label=Published]").text == "50.00"
    assert float(row.select_one("[data-label=Difference]").text) == pytest.approx(best - 50)


def test_each_confused_pair_leads_to_its_samples(browser, finished_run):
    scores = scores_of(finished_run, "ensemble")
    predictions = metrics.predicted_classes(scores.logits)
    names = scores.class_names
    pairs = browser.get(f"{api(finished_run)}/pairs").json()
    links = soup_of(browser.get(pages(finished_run)).text).select("a.pair")
    assert [link.text for link in links] == [names[pair["first"]] for pair in pairs]
    assert pairs
    for link, pair in zip(links, pairs, strict=True):
        first, second = pair["first"], pair["second"]
        groups = soup_of(browser.get(link["href"]).text).select(".group")
        told = [{each.text for each in group.select("tbody th")} for group in groups]
        wanted = [(first, second), (second, first), (first, first), (second, second)]
        assert told == [
            {
                scores.names[row]
                for row in np.flatnonzero((scores.labels == label) & (predictions == taken))
            }
            for label, taken in wanted
        ]
        assert (len(told[0]), len(told[1])) == (pair["forward"], pair["backward"])


def test_the_samples_of_a_class_are_told_to_programs_too(browser, finished_run):
    scores = scores_of(finished_run, "bone")
    predictions = metrics.predicted_classes(scores.logits)
    address = f"{api(finished_run)}/samples?of=bone&label=0"
    lines = browser.get(address).json()
    for key, rows in (
        ("true_positives", (scores.labels == 0) & (predictions == 0)),
        ("false_negatives", (scores.labels == 0) & (predictions != 0)),
        ("false_positives", (scores.labels != 0) & (predictions == 0)),
    ):
        assert {line["sample"] for line in lines[key]} == {
            scores.names[row] for row in np.flatnonzero(rows)
        }
    page = soup_of(browser.get(f"{pages(finished_run)}/class?of=bone&label=0").text)
    told = [int(each.text) for each in page.select(".group .count")]
    assert told == [len(lines[key]) for key in lines]


@pytest.mark.parametrize("most", [20, 5])
def test_every_cell_of_the_matrix_is_there(browser, finished_run, monkeypatch, most):
    monkeypatch.setattr(results_routes, "CLASSES_AS_TABLE", most)
    page = soup_of(browser.get(f"{pages(finished_run)}?of=joint&epoch=best").text)
    told = browser.get(f"{api(finished_run)}/confusion?of=joint&epoch=best").json()
    scores = scores_of(finished_run, "joint", "best_on_test")
    matrix = metrics.confusion_matrix(
        metrics.predicted_classes(scores.logits), scores.labels, scores.logits.shape[1]
    )
    assert told["cells"] == [[*cell, matrix[tuple(cell)]] for cell in np.argwhere(matrix).tolist()]
    if most == 20:
        cells = [int(cell.text) for cell in page.select("table.matrix td a")]
        assert cells == [count for *_, count in told["cells"]]
        assert all(link["aria-label"] for link in page.select("table.matrix td a"))
    else:
        assert page.select_one("[data-confusion] canvas")["aria-describedby"] == "matrix-keys"
        assert not page.select("table.matrix")


def test_a_sample_shows_what_each_modality_and_the_ensemble_said(browser, finished_run):
    sample = scores_of(finished_run, "joint").names[3]
    page = soup_of(browser.get(f"{pages(finished_run)}/sample?sample={sample}").text)
    rows = page.select(".verdicts tbody tr")
    for row, name in zip(rows, ("ensemble", *MODALITIES), strict=True):
        scores = scores_of(finished_run, name)
        place = scores.names.index(sample)
        chances = 100 * metrics.probabilities(scores.logits[place : place + 1])[0]
        order = metrics.ranking(scores.logits[place : place + 1])[0][::-1][:5]
        assert [" ".join(cell.text.split()) for cell in row.select("td")] == [
            f"{scores.class_names[label]} {chances[label]:.1f}" for label in order
        ]
        assert ("right" in row.th.text) == (order[0] == scores.labels[place])


def test_the_skeleton_of_a_sample_is_that_of_the_store(browser, finished_run):
    store, sample = store_of(finished_run), scores_of(finished_run, "joint").names[0]
    row = store.index["name"].tolist().index(sample)
    told = browser.get(f"{api(finished_run)}/skeleton?sample={sample}").json()
    expected = animation(store.sequence(row), store.layout, most_frames=1200)
    assert told == json.loads(json.dumps(expected))
    assert told["total"] == len(told["frames"]) == store.index["frames"][row]


def test_without_its_sequences_a_sample_still_shows_what_was_said(copied_run):
    sample = scores_of(copied_run, "joint").names[0]
    change_record(copied_run, lambda facts: facts.update(steps=[]))
    browser = asked(copied_run)
    page = soup_of(browser.get(f"{pages(copied_run)}/sample?sample={sample}").text)
    assert "not here any more" in page.select_one(".message").text
    assert page.select(".verdicts tbody tr")
    assert not page.select("canvas")
    assert browser.get(f"{api(copied_run)}/skeleton?sample={sample}").status_code == 404


weights = st.floats(-2, 2, width=32).map(lambda value: round(value, 3))


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(joint=weights, bone=weights, epoch=st.sampled_from(["last", "best"]))
def test_other_weights_are_those_of_the_ensemble(telling_run, joint, bone, epoch):
    address = f"{api(telling_run)}/ensemble?epoch={epoch}&joint={joint}&bone={bone}"
    answer = asked(telling_run).get(address)
    if joint == bone == 0:
        assert answer.status_code == 422
        return
    which = {"last": "last", "best": "best_on_test"}[epoch]
    parts = {name: scores_of(telling_run, name, which) for name in MODALITIES}
    combined = combine(parts, {"joint": joint, "bone": bone})
    expected = metrics.summarise(combined.logits, combined.labels)
    assert answer.json() == {key: expected[key] for key in answer.json()}


def test_the_browser_is_sent_labels_and_logits(browser, finished_run):
    content = browser.get(f"{api(finished_run)}/logits").content
    parts = [scores_of(finished_run, name) for name in MODALITIES]
    count, classes = parts[0].logits.shape
    assert np.frombuffer(content, "<i4", count).tolist() == parts[0].labels.tolist()
    logits = np.frombuffer(content, "<f4", offset=4 * count).reshape(2, count, classes)
    np.testing.assert_array_equal(logits, [part.logits for part in parts])
    summary = browser.get(api(finished_run)).json()
    assert list(summary["weights"]) == list(MODALITIES)


def test_large_results_stay_on_the_server(browser, finished_run, monkeypatch):
    def sliders():
        return soup_of(browser.get(pages(finished_run)).text).select_one("form.weights")

    assert sliders().has_attr("data-logits")
    monkeypatch.setattr(results_routes, "COMPUTED_IN_BROWSER", 100)
    assert not sliders().has_attr("data-logits")


def test_results_of_one_modality_have_no_ensemble(copied_run):
    change_record(copied_run, lambda facts: facts.update(modalities=["bone"]))
    page = soup_of(asked(copied_run).get(pages(copied_run)).text)
    assert [row.th.text for row in page.select(".accuracies tbody tr")] == ["bone"]
    assert not page.select("form.weights")
    assert "Bone, last epoch" in page.text


def test_results_that_were_written_again_are_read_again(copied_run):
    browser = asked(copied_run)
    before = browser.get(f"{api(copied_run)}/confusion?of=joint").json()
    path = copied_run / "results" / "scores" / "joint" / "last.npz"
    scores = Scores.load(path)
    logits = np.full_like(scores.logits, -1)
    logits[np.arange(len(scores)), scores.labels] = 1
    dataclasses.replace(scores, logits=logits).save(path)
    after = browser.get(f"{api(copied_run)}/confusion?of=joint").json()
    assert any(actual != predicted for actual, predicted, _ in before["cells"])
    assert all(actual == predicted for actual, predicted, _ in after["cells"])


def test_no_name_becomes_markup(copied_run):
    sample = f"{MARKUP}&/#?'\""
    for path in (copied_run / "results" / "scores").glob("*/*.npz"):
        scores = Scores.load(path)
        classes = [f"{MARKUP} {number}" for number in range(scores.logits.shape[1])]
        names, metadata = (sample, *scores.names[1:]), {**scores.metadata, "classes": classes}
        dataclasses.replace(scores, names=names, metadata=metadata).save(path)
    browser = asked(copied_run)
    label = int(scores_of(copied_run, "joint").labels[0])
    first = soup_of(browser.get(f"{pages(copied_run)}/class?of=joint&label={label}").text)
    address = first.find("a", string=sample)["href"]
    for place in (pages(copied_run), f"{pages(copied_run)}/pair?actual=0&predicted=1", address):
        page = soup_of(browser.get(place).text)
        assert MARKUP in page.text
        sources = [script["src"] for script in page.select("script")]
        assert all(source.startswith("/static/") for source in sources), sources
    assert page.h1.text == sample


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda run: damage(run / "results/scores/bone/last.npz"), "bone/last.npz"),
        (lambda run: damage(run / "results/models/joint/metadata.json"), "joint/metadata.json"),
        (lambda run: shutil.rmtree(run / "results/models/bone"), "models/bone"),
        (lambda run: damage(run / "results/models/bone/last.safetensors"), "another model"),
        (lambda run: change_record(run, lambda facts: facts.pop("recipe")), "recipe"),
        (lambda run: (run / "run.json").write_text("[]"), "run.json"),
        (
            lambda run: change_record(run, lambda facts: facts.update(modalities=[7])),
            "modalities.0",
        ),
        (lambda run: (run / "results/models/bone/history.jsonl").write_text("[]"), "history.jsonl"),
    ],
)
def test_what_is_missing_or_damaged_is_named(copied_run, spoil, told):
    spoil(copied_run)
    browser = asked(copied_run)
    answer = browser.get(pages(copied_run))
    assert answer.status_code == 422
    assert told in soup_of(answer.text).select_one(".message").text
    answer = browser.get(api(copied_run))
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_a_run_without_results_says_so(tmp_path):
    run = record(tmp_path, "20260103-030405-demo", "running")
    for address in (pages(run), f"{pages(run)}/sample?sample=x", f"{pages(run)}/pair"):
        answer = asked(run).get(address)
        assert answer.status_code in (404, 422)
    assert "no results yet: it is running" in asked(run).get(pages(run)).text


def test_results_that_another_run_left_are_not_those_of_a_run_that_goes_on(copied_run):
    change_record(copied_run, lambda facts: facts.update(status="failed"))
    assert asked(copied_run).get(pages(copied_run)).status_code == 404
    change_record(copied_run, lambda facts: facts.update(status="done"))
    shutil.rmtree(copied_run / "results")
    assert "any more" in asked(copied_run).get(pages(copied_run)).text


@pytest.mark.parametrize(
    "address",
    [
        "/sample?sample=none",
        "/class?label=99",
        "/pair?actual=0&predicted=10",
        "?of=joint_motion",
        "/sample?sample=..%2f..%2frun.json",
    ],
)
def test_what_the_results_do_not_have_is_not_found(browser, finished_run, address):
    assert browser.get(pages(finished_run) + address).status_code == 404


def test_the_report_is_sent_as_a_file_to_keep(browser, finished_run):
    answer = browser.get(f"{pages(finished_run)}/report")
    assert answer.content == (finished_run / "results" / "report.html").read_bytes()
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_a_finished_run_leads_to_its_results(browser, finished_run):
    page = soup_of(browser.get(f"/runs/{finished_run.name}").text)
    assert page.select_one(f"a[href='{pages(finished_run)}']")


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_asked_of_results_is_no_server_error(finished_run, data):
    described = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json", asked(finished_run).app, headers=HERE
    ).include(path_regex="/results")
    operation = data.draw(st.sampled_from([each.ok() for each in described.get_all_operations()]))
    case = data.draw(operation.as_strategy())
    case.path_parameters["name"] = finished_run.name
    case.call_and_validate(headers=HERE, checks=[not_a_server_error])
