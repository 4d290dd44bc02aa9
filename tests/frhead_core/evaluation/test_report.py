from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup

from frhead_core.config import MODALITIES, load_recipe
from frhead_core.data import nw_ucla
from frhead_core.data.recordings import Quarantined
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.ensemble import EnsembleResult, combine, recipe_weights
from frhead_core.evaluation.report import ModalityResult, RunReport, write_report
from frhead_core.evaluation.scores import Scores
from frhead_core.skeletons import skeleton

CLASSES = list(nw_ucla.CLASSES)
HOSTILE = "<script>alert('x')</script>&\"</td>"


def history(epochs: int = 3) -> list[dict[str, object]]:
    return [
        {
            "epoch": epoch,
            "train_loss": 3.0 / epoch,
            "train_top1": 20.0 * epoch,
            "evaluated_part": "test",
            "loss": 2.5 / epoch,
            "top1": 18.0 * epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


def renamed(scores: Scores, which: str, names: tuple[str, ...] | None = None) -> Scores:
    metadata = {**scores.metadata, "which": which, "epoch": 2, "classes": CLASSES}
    return dataclasses.replace(scores, metadata=metadata, names=names or scores.names)


@pytest.fixture
def store(synthetic_store) -> SequenceStore:
    return SequenceStore.open(synthetic_store)


@pytest.fixture
def full(recipe, make_scores, store) -> RunReport:
    """A report with everything in it."""
    names = tuple(str(name) for name in store.index["name"][:40])
    modalities, last, best = {}, {}, {}
    for seed, name in enumerate(MODALITIES):
        last[name] = renamed(make_scores(seed=seed, modality=name), "last", names)
        best[name] = renamed(make_scores(seed=seed, skill=3.0), "best_on_test", names)
        cost = Cost(
            1_426_892, 507_305, 1_132_800_640, 10.0 + seed, 20, 100.0, 64, "cpu", 2, "float32"
        )
        modalities[name] = ModalityResult(history(), {}, last[name], best[name], cost)
    weights = recipe_weights(recipe)
    ensemble = EnsembleResult(weights, "benchmark", combine(last, weights), combine(best, weights))
    bad = Quarantined("a01_s01_e00_v01", "all/a01.json", "frame 3: no number")
    steps = [
        StepReport("Extracted raw skeletons", "nw-ucla", {"recordings kept": 1483}, (), (bad,)),
        StepReport("Denoised skeletons", "nw-ucla", {"sequences": 1483}, ("Passed.",), (bad,)),
    ]
    return RunReport(recipe, modalities, ensemble, steps, store, {"code version": "abc123"})


def page_of(report: RunReport, folder: Path) -> BeautifulSoup:
    write_report(folder / "report.html", report)
    return BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")


def section(page: BeautifulSoup, name: str) -> BeautifulSoup:
    found = page.find("section", attrs={"aria-labelledby": name})
    assert found is not None, name
    return found


def sections(page: BeautifulSoup) -> list[str]:
    return [found["aria-labelledby"] for found in page.find_all("section")]


def test_everything_has_its_section(full, tmp_path):
    assert sections(page_of(full, tmp_path)) == [
        *("accuracy", "cost", "curves", "matrix", "pairs", "classes", "errors"),
        *("preparation", "settings"),
    ]


def test_nothing_outside_the_file_is_needed(full, tmp_path):
    page = page_of(full, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\((?!#)|@import", text)
    assert not page.find_all(["link", "img", "iframe", "object", "embed", "base"])
    assert not page.find_all(src=True)
    assert all(found["href"].startswith("#") for found in page.find_all(href=True))


def test_the_policy_allows_the_script_of_the_page_and_no_other(full, tmp_path):
    page = page_of(full, tmp_path)
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    (script,) = page.find_all("script", attrs={"type": None})
    digest = hashlib.sha256(script.string.encode()).digest()
    assert f"script-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "default-src 'none'" in policy


def test_equal_runs_give_equal_bytes(full, tmp_path):
    for name in ("a.html", "b.html"):
        write_report(tmp_path / name, full)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_size_is_modest(full, tmp_path):
    write_report(tmp_path / "report.html", full)
    assert (tmp_path / "report.html").stat().st_size < 400_000


def test_ids_are_unique_and_labels_lead_somewhere(full, tmp_path):
    page = page_of(full, tmp_path)
    ids = [found["id"] for found in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for found in page.find_all(attrs={"aria-labelledby": True}):
        assert found["aria-labelledby"] in ids
    for found in page.find_all("use"):
        assert found["href"].removeprefix("#") in ids


def test_the_accuracy_table_keeps_last_and_best_apart(full, tmp_path):
    table = section(page_of(full, tmp_path), "accuracy").table
    header = [cell.get_text(" ", strip=True) for cell in table.thead.find_all("th")]
    assert header == [
        *("Modality", "Last epoch", "Best epoch on test (chosen on test)"),
        *("Published", "Difference"),
    ]
    rows = {row.th.get_text(" ", strip=True): row.find_all("td") for row in table.tbody("tr")}
    assert list(rows) == [
        "joint weight 0.6",
        "bone weight 0.6",
        "joint motion weight 0.4",
        "bone motion weight 0.4",
        "ensemble",
    ]
    result = full.modalities["bone"]
    cells = [cell.get_text(" ", strip=True) for cell in rows["bone weight 0.6"]]
    for cell, scores in zip(cells, (result.scores_last, result.scores_best), strict=False):
        right = int((scores.logits.argmax(axis=1) == scores.labels).sum())
        assert cell.startswith(f"{100 * right / 40:.2f}")
        assert f"{right} of 40" in cell
        assert "epoch 2" in cell
        assert "top-5" in cell
    best = float(cells[1].split()[0])
    assert cells[2:] == ["93.10", f"{best - 93.10:+.2f}"]


def test_the_cost_of_each_modality_and_of_all_is_told(full, tmp_path):
    found = section(page_of(full, tmp_path), "cost")
    rows = {
        row.th.get_text(strip=True): [cell.get_text(strip=True) for cell in row.find_all("td")]
        for row in found.tbody.find_all("tr")
    }
    assert list(rows) == ["joint", "bone", "joint motion", "bone motion", "ensemble"]
    conditions = "cpu, 2 CPU threads, float32; latency of 20 forwards"
    assert rows["bone"] == [
        *("1,426,892", "507,305", "1.133", "11.00", "100.0", "64"),
        conditions,
    ]
    assert rows["ensemble"][2:5] == ["4.531", "46.00", "25.0"]
    assert "multiply-add counts as two" in " ".join(found.caption.get_text().split())


def test_what_was_not_measured_is_left_out(full, tmp_path):
    unmeasured = {
        name: dataclasses.replace(each, cost=None) for name, each in full.modalities.items()
    }
    page = page_of(dataclasses.replace(full, modalities=unmeasured), tmp_path)
    assert "cost" not in sections(page)


def test_the_page_opens_with_the_ensemble_of_the_last_epoch(full, tmp_path):
    scores = full.ensemble.last
    right = int((scores.logits.argmax(axis=1) == scores.labels).sum())
    text = page_of(full, tmp_path).header.get_text(" ", strip=True)
    assert f"{100 * right / 40:.2f}" in text
    assert "ensemble, last epoch" in " ".join(text.split())
    assert "96.77" in text


def test_the_matrix_counts_the_ensemble(full, tmp_path):
    table = section(page_of(full, tmp_path), "matrix").table
    counts = [[int(cell.text or 0) for cell in row("td")] for row in table.tbody("tr")]
    scores = full.ensemble.last
    expected = np.zeros((10, 10), dtype=int)
    np.add.at(expected, (scores.labels, scores.logits.argmax(axis=1)), 1)
    np.testing.assert_array_equal(counts, expected)
    assert table.tbody.td["title"].startswith("pick up with one hand → pick up with one hand: ")


def test_every_class_has_the_accuracy_of_each_model(full, tmp_path):
    table = section(page_of(full, tmp_path), "classes").table
    header = [cell.get_text(strip=True) for cell in table.thead.find_all("th")]
    assert header == [
        *("Class", "Samples", "ensemble", "joint", "bone", "joint motion", "bone motion"),
    ]
    cells = [cell.get_text(strip=True) for cell in table.tbody.find_all("tr")[3].find_all("td")]
    assert cells[0] == "4"
    models = [full.ensemble.last, *(full.modalities[name].scores_last for name in MODALITIES)]
    for cell, scores in zip(cells[1:], models, strict=True):
        right = scores.logits.argmax(axis=1)[scores.labels == 3] == 3
        assert cell == f"{100 * right.mean():.1f}"


def test_many_classes_become_an_image_with_titles(make_scores, tmp_path):
    report = RunReport(
        load_recipe("ntu60-xsub"),
        {"joint": ModalityResult(scores_last=make_scores(count=300, classes=60))},
    )
    matrix = section(page_of(report, tmp_path), "matrix")
    assert matrix.table is None
    assert matrix.svg["role"] == "img"
    assert sum(int(title.text.split(": ")[1].split(" of ")[0]) for title in matrix("title")) == 300


def test_curves_are_drawn_once_for_each_figure(full, tmp_path):
    curves = section(page_of(full, tmp_path), "curves")
    assert len(curves.find_all("svg")) == 2
    for chart in curves.find_all("svg"):
        assert "joint, bone, joint motion, bone motion" in chart["aria-label"]
        for colour in ("--joint)", "--bone)", "--joint-motion)", "--bone-motion)", "--text)"):
            assert colour in str(chart)
    assert "#00000" not in str(curves)


def test_the_players_hold_the_most_confident_errors(full, tmp_path, store):
    players = section(page_of(full, tmp_path), "errors").find_all("article")
    scores = full.ensemble.last
    shifted = np.exp(scores.logits - scores.logits.max(axis=1, keepdims=True))
    chances = shifted.max(axis=1) / shifted.sum(axis=1)
    wrong = np.flatnonzero(scores.logits.argmax(axis=1) != scores.labels)
    order = wrong[np.argsort(-chances[wrong])]
    assert len(players) == min(6, len(wrong)) > 0
    assert [player.h3.text for player in players] == [scores.names[row] for row in order[:6]]
    for player, row in zip(players, order, strict=False):
        text = player.p.get_text(" ", strip=True)
        assert f"true: {CLASSES[scores.labels[row]]}" in text
        assert f"read as: {CLASSES[scores.logits[row].argmax()]}" in text
        data = json.loads(player.find("script").string)
        assert data["edges"] == [list(edge) for edge in skeleton("nw-ucla").edges]
        assert len(data["frames"]) == len(data["kept"]) <= 60
        assert data["total"] == store.index.set_index("name").frames[player.h3.text]
        assert player.button.text == "Play"
        assert player.find("input", class_="frame")["max"] == str(len(data["frames"]) - 1)
        assert player.h3.text in player.canvas["aria-label"]


def test_quarantined_recordings_are_listed_once(full, tmp_path):
    preparation = section(page_of(full, tmp_path), "preparation")
    assert preparation.get_text().count("frame 3: no number") == 1
    assert "1 could not be used" in preparation.get_text()
    assert "1,483" in preparation.get_text()


def test_settings_and_versions_are_told(full, tmp_path):
    settings = section(page_of(full, tmp_path), "settings")
    assert "abc123" in settings.get_text()
    assert "weight_decay: 0.0001" in settings.pre.text
    assert "prediction threshold" in settings.get_text()


def test_whatever_comes_from_data_is_escaped(full, tmp_path):
    scores = full.ensemble.last
    names = (*(f"{HOSTILE}{row}" for row in range(39)), scores.names[-1])
    classes = [f"{HOSTILE}{place}" for place in range(10)]
    hostile = dataclasses.replace(
        scores, names=names, metadata={**scores.metadata, "classes": classes}
    )
    report = dataclasses.replace(
        full,
        recipe=dataclasses.replace(full.recipe, title=HOSTILE),
        ensemble=dataclasses.replace(full.ensemble, last=hostile),
        preparation=[
            StepReport(HOSTILE, HOSTILE, {HOSTILE: 1}, (HOSTILE,), (Quarantined(*[HOSTILE] * 3),))
        ],
        facts={HOSTILE: HOSTILE},
    )
    page = page_of(report, tmp_path)
    assert "alert(" not in "".join(script.text for script in page.find_all("script"))
    assert "<script>alert" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.h1.text == HOSTILE
    assert sections(page) == sections(page_of(full, tmp_path))


def test_tables_have_header_cells_with_scopes(full, tmp_path):
    page = page_of(full, tmp_path)
    for table in page.find_all("table"):
        assert table.find_all("th")
        assert all(cell["scope"] in ("col", "row") for cell in table.find_all("th"))
    for found in page.find_all(class_="scroll"):
        assert found["tabindex"] == "0"
        assert found.get("aria-labelledby") or found.get("aria-label")


def test_an_empty_run_still_gives_a_page(recipe, tmp_path):
    page = page_of(RunReport(recipe, {}), tmp_path)
    assert "Nothing has been evaluated yet" in page.header.text
    assert sections(page) == ["settings"]


def test_scores_alone_are_enough(make_scores, tmp_path):
    scores = renamed(make_scores(), "best_on_test")
    page = page_of(
        RunReport(load_recipe("demo-nw-ucla"), {"bone": ModalityResult(scores_best=scores)}),
        tmp_path,
    )
    assert sections(page) == ["accuracy", "matrix", "pairs", "classes", "errors", "settings"]
    assert "bone, best epoch on test" in " ".join(page.header.get_text().split())
    assert "Published" not in page.header.get_text()
    assert section(page, "errors").details.has_attr("open")


def test_a_history_alone_is_enough(recipe, tmp_path):
    page = page_of(RunReport(recipe, {"joint": ModalityResult(history(1))}), tmp_path)
    assert sections(page) == ["accuracy", "curves", "settings"]


def test_without_scores_the_metrics_of_the_model_are_shown(recipe, tmp_path):
    figures = {
        "last": {"epoch": 8, "top1": 80.0, "top5": 99.0},
        "best_on_test": {"epoch": 5, "top1": 84.4, "top5": 99.5},
    }
    page = page_of(RunReport(recipe, {"joint": ModalityResult(metrics=figures)}), tmp_path)
    text = " ".join(section(page, "accuracy").tbody.get_text(" ").split())
    assert text == ("joint 80.00 top-5 99.00 · epoch 8 84.40 top-5 99.50 · epoch 5 94.40 -10.00")


def test_a_held_out_validation_part_is_not_taken_for_the_test_set(recipe, make_scores, tmp_path):
    figures = {
        "last": {"epoch": 8, "top1": 11.11, "top5": 99.0},
        "best_on_validation": {"epoch": 5, "top1": 22.22, "top5": 99.5},
    }
    result = ModalityResult(
        metrics=figures, scores_best=renamed(make_scores(), "best_on_validation")
    )
    text = section(page_of(RunReport(recipe, {"joint": result}), tmp_path), "accuracy").get_text()
    assert "11.11" not in text
    assert "22.22" not in text
    assert "Best epoch on validation" in text
    assert "chosen on test" not in text


def test_a_class_that_never_occurs_has_a_dash(make_scores, recipe, tmp_path):
    scores = make_scores()
    kept = np.flatnonzero(scores.labels != 4)
    scores = dataclasses.replace(
        scores,
        names=tuple(scores.names[row] for row in kept),
        logits=scores.logits[kept],
        labels=scores.labels[kept],
        parts=("test",) * len(kept),
        seen_in_training=scores.seen_in_training[kept],
    )
    page = page_of(RunReport(recipe, {"joint": ModalityResult(scores_last=scores)}), tmp_path)
    row = section(page, "classes").tbody.find_all("tr")[4]
    assert [cell.text for cell in row.find_all("td")] == ["0", "–"]
    assert "nan" not in section(page, "classes").get_text()


def test_without_errors_the_page_says_so(recipe, make_scores, tmp_path):
    scores = make_scores(skill=100.0)
    page = page_of(RunReport(recipe, {"joint": ModalityResult(scores_last=scores)}), tmp_path)
    assert "No sample was misread." in section(page, "errors").text
    assert "pairs" not in sections(page)


def test_samples_that_the_store_lacks_are_listed_without_a_player(full, tmp_path):
    scores = full.ensemble.last
    unknown = dataclasses.replace(scores, names=tuple(f"x{row}" for row in range(40)))
    report = dataclasses.replace(full, ensemble=dataclasses.replace(full.ensemble, last=unknown))
    errors = section(page_of(report, tmp_path), "errors")
    assert not errors.find_all("article")
    assert errors.table.tbody.find_all("tr")


def test_a_page_that_cannot_be_written_is_an_input_error(recipe, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html: cannot be written"):
        write_report(tmp_path / "report.html", RunReport(recipe, {}))
    assert list((tmp_path / "report.html").iterdir()) == []
