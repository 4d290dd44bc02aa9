from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup

from frhead_core.config import MODALITIES, load_recipe
from frhead_core.evaluation.compare import compare
from frhead_core.evaluation.cost import Cost
from frhead_core.evaluation.experiment import Experiment, Trial, blocks, costs
from frhead_core.evaluation.experiment_report import write_experiment_report
from frhead_core.evaluation.experiment_tables import (
    experiment_text,
    experiment_values,
    runs_csv,
    summary_csv,
)
from frhead_core.evaluation.scores import Scores

HOSTILE = "<script>alert('x')</script>"
Results = Callable[..., Path]


def cost(latency: float = 10.0) -> Cost:
    return Cost(1_000, 500, 2_000_000, latency, 20, 100.0, 64, "a processor", 1, "float32")


@pytest.fixture
def results(make_scores: Any, tmp_path: Path) -> Results:
    """The results of a run, with models that are right more often the larger ``skill`` is."""

    def make(
        name: str,
        seed: int,
        skill: float,
        models: tuple[str, ...] = ("joint", "bone", "ensemble"),
        whiches: tuple[str, ...] = ("last", "best_on_test"),
        count: int = 60,
    ) -> Path:
        folder = tmp_path / name / f"seed-{seed}"
        for place, model in enumerate(models):
            for which in whiches:
                part = "validation" if which.startswith("validation") else "test"
                make_scores(
                    count=count, seed=100 * seed + place, skill=skill, part=part, modality=model
                ).save(folder / "scores" / model / f"{which}.npz")
            if model != "ensemble":
                cost(10.0 * seed).save(folder / "scores" / model)
        return folder

    return make


@pytest.fixture
def one(results: Results) -> Experiment:
    """One variant with three seeds."""
    return Experiment(
        title="A benchmark",
        benchmark="nw-ucla",
        variants={"nw-ucla": {}},
        seeds=(1, 2, 3),
        baseline=None,
        trials=[Trial.read("nw-ucla", seed, results("nw-ucla", seed, 2.0)) for seed in (1, 2, 3)],
        published=load_recipe("nw-ucla").published,
        facts={"epochs": 65},
    )


@pytest.fixture
def several(results: Results) -> Experiment:
    """Two variants with two seeds; one run of a third failed, and the other as well."""
    trials = [
        Trial.read(name, seed, results(name, seed, skill, ("joint",)))
        for seed in (1, 2)
        for name, skill in (("plain", 1.0), ("better", 2.5))
    ]
    failed = [Trial("broken", seed, error=f"train: too\nfew {seed}") for seed in (1, 2)]
    return Experiment(
        title="Three variants",
        benchmark="nw-ucla",
        variants={"plain": {}, "better": {"head.version": "V1"}, "broken": {"x": 1}},
        seeds=(1, 2),
        baseline="plain",
        trials=[*trials, *failed],
    )


def accuracy(scores: Scores) -> float:
    return 100 * float((scores.logits.argmax(1) == scores.labels).mean())


def test_one_variant_has_a_line_for_each_model_and_a_table_for_each_epoch(one: Experiment) -> None:
    tables = blocks(one)

    assert [block.which for block in tables] == ["last", "best_on_test"]
    assert [row.model for row in tables[0].rows] == ["joint", "bone", "ensemble"]
    for row in tables[0].rows:
        expected = [accuracy(trial.scores(row.model, "last")) for trial in one.trials]
        assert row.accuracies == pytest.approx(expected)
        assert row.spread is not None
        assert row.spread.mean == pytest.approx(np.mean(expected))
        assert row.spread.deviation == pytest.approx(np.std(expected, ddof=1))
        assert row.comparison is None
    assert [row.published for row in tables[0].rows] == [None] * 3
    # No published ensemble is of two modalities.
    assert [row.published for row in tables[1].rows] == [94.40, 93.10, None]


def test_four_modalities_have_a_published_ensemble(results: Results, one: Experiment) -> None:
    trial = Trial.read("nw-ucla", 1, results("four", 1, 2.0, (*MODALITIES, "ensemble")))
    experiment = Experiment("", "nw-ucla", one.variants, (1,), None, [trial], one.published)

    assert blocks(experiment)[1].rows[-1].published == 96.77


def test_variants_are_compared_with_the_baseline_over_the_seeds(several: Experiment) -> None:
    tables = blocks(several)

    assert [(block.which, block.model) for block in tables] == [
        ("last", "joint"),
        ("best_on_test", "joint"),
    ]
    plain, better, broken = tables[0].rows
    assert plain.comparison is None
    assert better.comparison == compare(
        *(
            {seed: trial.scores("joint", "last") for seed, trial in several.trials_of(name).items()}
            for name in ("plain", "better")
        )
    )
    assert better.spread is not None and plain.spread is not None
    assert better.comparison.difference == pytest.approx(better.spread.mean - plain.spread.mean)
    assert broken.accuracies == (None, None)
    assert broken.spread is None
    assert broken.comparison is None


def test_only_seeds_that_both_have_are_compared(several: Experiment) -> None:
    missing = [each for each in several.trials if (each.variant, each.seed) != ("better", 1)]
    fewer = Experiment(
        several.title, "nw-ucla", several.variants, (1, 2), "plain", missing, facts={}
    )

    comparison = blocks(fewer)[0].rows[1].comparison

    assert comparison is not None
    assert [each.seed for each in comparison.outcomes] == [2]
    assert comparison.over_seeds is None


def test_variants_that_are_tested_on_other_samples_are_not_compared(
    results: Results, several: Experiment
) -> None:
    other = Trial.read("better", 1, results("other", 1, 2.0, ("joint",), count=50))
    experiment = Experiment(
        "", "nw-ucla", several.variants, (1,), "plain", [several.trials[0], other]
    )

    row = blocks(experiment)[0].rows[1]

    assert row.comparison is None
    assert row.incomparable is not None and "different samples" in row.incomparable
    assert "other samples" in experiment_text(experiment, blocks(experiment), {})


def test_there_is_something_to_choose_by_only_with_a_held_out_part(
    results: Results, several: Experiment
) -> None:
    text = experiment_text(several, blocks(several), {})
    assert "to choose a variant by them is to choose on the test set" in text
    held_out = ("last", "best_on_validation", "validation_last")
    trials = [
        Trial.read(name, 1, results(f"held-{name}", 1, 2.0, ("joint",), held_out))
        for name in ("plain", "better")
    ]
    experiment = Experiment("", "nw-ucla", several.variants, (1,), "plain", trials)

    tables = blocks(experiment)

    assert [block.which for block in tables] == ["validation_last", "last", "best_on_validation"]
    assert tables[0].rows[1].comparison is not None
    assert tables[0].rows[1].comparison.parts == ("validation",)
    text = experiment_text(experiment, tables, {})
    assert text.index("held-out validation part") < text.index("last epoch, test part")
    assert "Choose by the held-out validation part" in text


def test_the_text_has_every_seed_mean_deviation_and_test(
    several: Experiment, one: Experiment
) -> None:
    tables = blocks(several)
    text = experiment_text(several, tables, costs(several))

    better = tables[0].rows[1]
    line = next(line for line in text.splitlines() if line.startswith("better"))
    assert better.comparison is not None and better.spread is not None
    assert line.split()[1:7] == [
        *(f"{value:.2f}" for value in better.values),
        *(f"{better.spread.mean:.2f}", "±", f"{better.spread.deviation:.2f}"),
        f"{better.comparison.difference:+.2f}",
    ]
    assert line.endswith("0.500")  # two seeds cannot say more
    assert "2 seeds cannot give less than 0.5" in text
    assert "chosen on the test set, no held-out figure" in text
    assert "2 of 6 runs failed:\n  broken, seed 1: train: too few 1\n" in text
    assert "p is not corrected" in text
    single = experiment_text(one, blocks(one), costs(one))
    assert "published" in single
    assert "choose" not in single


def test_one_seed_is_tested_on_the_samples(several: Experiment) -> None:
    trials = [trial for trial in several.trials if trial.seed == 1]
    experiment = Experiment("", "nw-ucla", several.variants, (1,), "plain", trials)
    tables = blocks(experiment)

    text = experiment_text(experiment, tables, {})

    assert "McNemar's exact test" in text
    assert "±" not in text
    rows = list(csv.DictReader(io.StringIO(summary_csv(tables))))
    comparison = tables[0].rows[1].comparison
    assert comparison is not None
    assert float(rows[1]["p_mcnemar"]) == pytest.approx(comparison.outcomes[0].p, rel=1e-5)
    assert rows[1]["p_over_seeds"] == ""
    assert rows[1]["deviation"] == ""


def test_the_csv_files_hold_every_run_and_every_summary(several: Experiment) -> None:
    tables = blocks(several)
    runs = list(csv.DictReader(io.StringIO(runs_csv(several))))
    summary = list(csv.DictReader(io.StringIO(summary_csv(tables))))

    done = [row for row in runs if row["status"] == "done"]
    assert len(done) == 4 * 2
    for row in done:
        assert float(row["top1"]) == pytest.approx(
            100 * int(row["right"]) / int(row["samples"]), abs=1e-4
        )
    failed = [row for row in runs if row["status"] == "failed"]
    assert [(row["variant"], row["seed"]) for row in failed] == [("broken", "1"), ("broken", "2")]
    assert json.loads(done[1]["settings"]) in ({}, {"head.version": "V1"})
    assert [(row["variant"], row["scores"]) for row in summary] == [
        (variant, which)
        for which in ("last", "best_on_test")
        for variant in ("plain", "better", "broken")
    ]
    assert summary[2]["seeds"] == "0"
    assert float(summary[1]["p_over_seeds"]) == 0.5


def test_everything_is_json(several: Experiment) -> None:
    values = experiment_values(several, blocks(several), costs(several))

    again = json.loads(json.dumps(values, allow_nan=False))
    assert again["baseline"] == "plain"
    assert len(again["runs"]) == 6
    assert again["tables"][0]["rows"][1]["comparison"]["over_seeds"]["p"] == 0.5
    assert {each["variant"] for each in again["costs"]} == {"plain", "better"}


def test_costs_are_medians_over_the_seeds(one: Experiment) -> None:
    found = costs(one)

    assert list(found) == [("nw-ucla", "joint"), ("nw-ucla", "bone")]
    assert found["nw-ucla", "joint"].latency_ms == 20.0
    assert found["nw-ucla", "joint"].parameters == 1_000


def page_of(experiment: Experiment, folder: Path) -> BeautifulSoup:
    tables = blocks(experiment)
    write_experiment_report(folder / "report.html", experiment, tables, costs(experiment))
    return BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")


def test_the_page_shows_what_the_text_says_with_a_chart_for_each_table(
    several: Experiment, tmp_path: Path
) -> None:
    page = page_of(several, tmp_path)

    tables = page.find_all("section", attrs={"aria-labelledby": lambda name: "table-" in name})
    assert len(tables) == 2
    for found in tables:
        assert found.svg["role"] == "img"
        assert "plain, better, broken" in found.svg["aria-label"]
    heads = [cell.get_text(strip=True) for cell in tables[0].thead.find_all("th")]
    assert heads == [
        *("variant", "seed 1", "seed 2", "mean ± deviation"),
        *("difference", "interval", "p"),
    ]
    cells = [cell.get_text(strip=True) for cell in tables[0].tbody.find_all("tr")[2].find_all("td")]
    assert cells[:2] == ["failed", "failed"]
    assert "2 of them failed" in " ".join(page.header.get_text().split())
    assert "choose on the test set" in page.header.get_text()
    assert 'head.version = "V1"' in page.find(id="settings").parent.get_text()


def test_the_page_is_whole_escaped_and_the_same_each_time(
    several: Experiment, tmp_path: Path
) -> None:
    hostile = Experiment(
        HOSTILE,
        "nw-ucla",
        {**several.variants, HOSTILE: {HOSTILE: HOSTILE}},
        several.seeds,
        "plain",
        [*several.trials, Trial(HOSTILE, 1, error=HOSTILE)],
        facts={HOSTILE: HOSTILE},
    )
    page = page_of(hostile, tmp_path)
    content = (tmp_path / "report.html").read_bytes()

    assert not page.find_all(["script", "link", "img", "iframe"])
    assert not page.find_all(src=True)
    assert b"https:" not in content
    assert all(found["href"].startswith("#") for found in page.find_all(href=True))
    ids = [found["id"] for found in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert page.h1.text == HOSTILE
    page_of(hostile, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == content
