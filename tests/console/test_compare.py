"""Two runs side by side, against the tests of ``frhead compare`` on the same results."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from frhead_core.config import override, recipe_from_json, recipe_to_json
from frhead_core.evaluation.compare import compare
from frhead_core.evaluation.run_results import (
    ModalityFolders,
    RunInputs,
    accuracies_values,
    report_on,
    write_ensemble,
)
from frhead_core.evaluation.scores import Scores
from tests.console.conftest import MARKUP, record, soup_of
from tests.console.finished_run import MODALITIES, asked, change_record

SUBJECTS = (*MODALITIES, "ensemble")


@pytest.fixture
def two_runs(telling_run: Path) -> tuple[Path, Path]:
    """Two finished runs of the same samples, of which the second knows more, but not everything."""
    second = telling_run.with_name("20990101-000000-second")
    shutil.copytree(telling_run, second)
    for seed, name in enumerate(MODALITIES):
        for path in (second / "results" / "scores" / name).glob("*.npz"):
            scores = Scores.load(path)
            logits = scores.logits.copy()
            chosen = np.random.default_rng(seed).random(len(scores)) < 0.5
            logits[chosen, scores.labels[chosen]] += 2
            dataclasses.replace(scores, logits=logits).save(path)
    for run in (telling_run, second):
        combine_again(run)

    def other_seed(facts):
        recipe = override(recipe_from_json(facts["recipe"]), ["training.seed=7"])
        facts["recipe"] = recipe_to_json(recipe)

    change_record(second, other_seed)
    return telling_run, second


def combine_again(run: Path) -> None:
    """The ensemble and the record of a run whose scores were changed."""
    results = run / "results"
    recipe = recipe_from_json(json.loads((run / "run.json").read_text())["recipe"])
    folders = [
        ModalityFolders(results / "models" / name, results / "scores" / name, name)
        for name in MODALITIES
    ]
    report = report_on(RunInputs(recipe, folders))
    write_ensemble(report, results / "scores" / "ensemble")
    change_record(run, lambda facts: facts.update(accuracies=accuracies_values(report)))


def address(*runs: Path, epoch: str = "last") -> str:
    return "/compare?" + "&".join(f"run={run.name}" for run in runs) + f"&epoch={epoch}"


@pytest.mark.parametrize("epoch", ["last", "best"])
def test_the_paired_tests_are_those_of_the_command(two_runs, epoch):
    answer = asked(two_runs[0]).get(f"/api/v1{address(*two_runs, epoch=epoch)}").json()
    (pair,) = answer["pairs"]
    assert [pair[key] for key in ("first", "second", "problem")] == [
        *(run.name for run in two_runs),
        None,
    ]
    assert [test["name"] for test in pair["tests"]] == list(SUBJECTS)
    which = "last" if epoch == "last" else "best_on_test"
    for test in pair["tests"]:
        first, second = (
            Scores.load(run / "results" / "scores" / test["name"] / f"{which}.npz")
            for run in two_runs
        )
        expected = compare({None: first}, {None: second})
        (outcomes,) = expected.outcomes
        assert test["difference"] == expected.difference
        assert test["interval"] == list(expected.interval)
        for key in ("only_first", "only_second", "p"):
            assert test[key] == getattr(outcomes, key)
        changed = {each.name: each for each in expected.classes if each.gained or each.lost}
        assert {each["name"] for each in test["classes"]} == set(changed)
    assert any(test["only_second"] for test in pair["tests"]), "the runs do not differ"


def test_the_page_shows_accuracies_tests_classes_and_curves(two_runs):
    page = soup_of(asked(two_runs[0]).get(address(*two_runs)).text)
    first, second = (json.loads((run / "run.json").read_text())["accuracies"] for run in two_runs)
    rows = {row.th.text: row for row in page.select("#accuracy ~ .scroll tbody")[0].select("tr")}
    assert list(rows) == ["ensemble", *MODALITIES]
    for name, row in rows.items():
        one, two = (each[name]["last"] for each in (first, second))
        assert [cell.text.split()[0] for cell in row.select("td")] == [f"{one:.2f}", f"{two:.2f}"]
        assert row.select("td")[1].span.text == f"{two - one:+.2f}"
    assert [row.th.text for row in page.select("#pair-B + .scroll tbody tr")] == list(SUBJECTS)
    changes = [int(row.select("td")[-1].text) for row in page.select(".groups tbody tr")]
    assert changes and all(change != 0 for change in changes)
    # Loss and accuracy of each modality, with a point (one epoch) for each run.
    assert len(page.select("svg.chart")) == 2 * len(MODALITIES)
    assert all(len(chart.select("circle")) == 2 for chart in page.select("svg.chart"))
    assert [item.text.split(":")[0] for item in page.select(".legend li")] == ["A", "B"]
    steps = page.select("#steps + .scroll tbody th")
    assert {"train_modality-joint", "ensemble_modalities"} <= {each.text for each in steps}


def test_only_settings_that_differ_are_open_and_marked(two_runs):
    browser = asked(two_runs[0])
    page = soup_of(browser.get(address(*two_runs)).text)
    (row,) = page.select("#settings + .scroll tbody tr")
    assert [cell.text for cell in (row.th, *row.select("td"))] == ["training.seed", "1", "7"]
    assert [cell.get("class") for cell in row.select("td")] == [None, ["other"]]
    equal = [row.th.text for row in page.select("details tbody tr")]
    assert {"raw", "model.backbone", "training.batch_size", "how.engine"} <= set(equal)
    told = browser.get(f"/api/v1{address(*two_runs)}").json()["settings"]
    assert [each["name"] for each in told if each["differs"]] == ["training.seed"]
    assert [each["name"] for each in told if not each["differs"]] == equal


def test_results_that_are_not_those_of_the_run_any_more_are_not_compared(two_runs):
    first, second = two_runs
    for part in ("scores", "models"):
        shutil.rmtree(second / "results" / part)
        shutil.copytree(first / "results" / part, second / "results" / part)
    page = soup_of(asked(first).get(address(*two_runs)).text)
    assert "not the results of this run any more" in page.select_one(".message").text
    assert page.select("#settings + .scroll tbody tr")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda run: shutil.rmtree(run / "results"), "does not exist"),
        (lambda run: (run / "results/scores/joint/last.npz").write_bytes(b"x"), "joint/last.npz"),
        (lambda run: change_record(run, lambda facts: facts.update(status="failed")), "failed"),
    ],
)
def test_without_results_all_else_is_still_compared(two_runs, spoil, told):
    spoil(two_runs[1])
    page = soup_of(asked(two_runs[0]).get(address(*two_runs)).text)
    assert told in page.select_one(".message").text
    assert page.select("#settings + .scroll tbody tr")


def test_runs_of_other_samples_are_not_tested_against_each_other(two_runs):
    first, second = two_runs
    for path in (second / "results" / "scores").glob("*/*.npz"):
        scores = Scores.load(path)
        dataclasses.replace(scores, names=tuple(f"other-{name}" for name in scores.names)).save(
            path
        )
    pair = asked(first).get(f"/api/v1{address(*two_runs)}").json()["pairs"][0]
    assert pair["tests"] == [] and "other-" in pair["problem"]


def test_three_runs_are_held_against_the_first_each_named_once(two_runs, tmp_path):
    first, second = two_runs
    third = second.with_name("third")
    shutil.copytree(second, third)
    page = soup_of(asked(first).get(address(second, first, third, second)).text)
    assert [each.text for each in page.select("thead th a")] == [
        second.name,
        first.name,
        third.name,
    ]
    assert [each.text for each in page.select("h3")] == ["B against A", "C against A"]
    same = page.select("#pair-C + .scroll tbody tr")
    assert [row.select("td")[0].text for row in same] == ["+0.00"] * 3


def test_fewer_than_two_are_asked_for_more_and_too_many_refused(finished_run):
    browser = asked(finished_run)
    for few in ("/compare", address(finished_run), address(finished_run, finished_run)):
        page = soup_of(browser.get(few).text)
        assert "Choose two to 6 runs" in page.select_one("main").text
    assert browser.get(f"/api/v1{address(finished_run)}").status_code == 422
    many = "&".join(f"run=run-{number}" for number in range(7))
    for place in ("/compare", "/api/v1/compare"):
        assert browser.get(f"{place}?{many}").status_code == 422
        assert browser.get(f"{place}?run=none&run=neither").status_code == 404
        assert browser.get(f"{place}?run=..&run=..%2fetc").status_code in (404, 422)


def test_no_setting_becomes_markup(tmp_path):
    for name in ("a", "b"):
        record(tmp_path, name, "failed", raw=f"{MARKUP}{name}", how={MARKUP: name, "\ud800": 1})
    page = soup_of(asked(tmp_path / "any").get("/compare?run=a&run=b").text)
    rows = [row.text for row in page.select("#settings + .scroll tbody tr")]
    assert len(rows) == 2 and all(MARKUP in row for row in rows)
    assert not page.select("main script")


@pytest.mark.parametrize("depth", [800, 980, 5000])
def test_settings_nested_without_end_break_nothing(tmp_path, depth):
    for name in ("a", "b"):
        text = '{"how": ' + depth * '{"a": ' + "1" + depth * "}" + "}"
        (record(tmp_path, name, "failed") / "run.json").write_text(text)
    answer = asked(tmp_path / "any").get("/api/v1/compare?run=a&run=b")
    assert answer.status_code in (200, 422)
