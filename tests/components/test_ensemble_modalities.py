from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kfp import dsl

from components.ensemble_modalities.component import ensemble_modalities
from frhead_core.config import recipe_to_json
from frhead_core.evaluation.ensemble import search_weights
from frhead_core.evaluation.scores import Scores


def combine(prepared, recipe, made, make) -> tuple[dsl.Dataset, dsl.Metrics, dsl.HTML]:
    outputs = make(dsl.Dataset, "ensemble"), make(dsl.Metrics, "metrics"), make(dsl.HTML, "report")
    ensemble_modalities.python_func(
        models=[each.model for each in made],
        scores=[each.scores for each in made],
        raw_bodies=prepared.raw_bodies,
        denoised=prepared.denoised,
        sequences=prepared.sequences,
        recipe=recipe_to_json(recipe),
        code_version="n",
        ensemble=outputs[0],
        metrics=outputs[1],
        report=outputs[2],
    )
    return outputs


def test_the_scores_are_combined_with_the_weights_of_the_benchmark(
    prepared, trained, tiny, make
) -> None:
    both = [trained["bone"], trained["joint"]]
    ensemble, metrics, report = combine(prepared, tiny, both, make)

    parts = [Scores.load(Path(each.scores.path) / "last.npz") for each in both]
    combined = Scores.load(Path(ensemble.path) / "last.npz")
    expected = np.float32(0.6) * parts[1].logits + np.float32(0.6) * parts[0].logits
    np.testing.assert_array_equal(combined.logits, expected)
    right = (expected.argmax(1) == combined.labels).mean()
    assert metrics.metadata["ensemble_last_top1"] == pytest.approx(100 * right)
    assert Path(report.path).read_text().startswith("<!")


def test_the_table_tells_the_last_epoch_from_the_best(prepared, trained, tiny, make) -> None:
    ensemble, _, _ = combine(prepared, tiny, [trained["joint"], trained["bone"]], make)

    table = (Path(ensemble.path) / "accuracies.txt").read_text()

    assert table.count("ensemble  ") == 2
    assert "last epoch" in table
    assert "best epoch on test" in table


def test_weights_are_searched_where_a_validation_part_was_held_out(
    prepared, trained_without_validation, tiny, make
) -> None:
    made = [trained_without_validation[name] for name in ("joint", "bone")]
    held_out = {
        each.model.metadata["modality"]: Scores.load(Path(each.scores.path) / "validation_last.npz")
        for each in made
    }

    ensemble, _, _ = combine(prepared, tiny, made, make)

    weights = Scores.load(Path(ensemble.path) / "last.npz").metadata["weights"]
    assert weights == search_weights(held_out)
    assert "searched on held-out" in (Path(ensemble.path) / "accuracies.txt").read_text()


def test_one_modality_makes_a_report_but_no_ensemble(prepared, trained, tiny, make) -> None:
    ensemble, metrics, report = combine(prepared, tiny, [trained["joint"]], make)

    names = sorted(file.name for file in Path(ensemble.path).iterdir())
    assert names == ["accuracies.json", "accuracies.txt"]
    assert metrics.metadata == {}
    assert Path(report.path).stat().st_size > 10_000


def test_a_damaged_score_file_ends_the_step_with_2(
    prepared, trained, tiny, make, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = make(dsl.Dataset, "scores")
    Path(broken.path).mkdir()
    (Path(broken.path) / "last.npz").write_bytes(b"not a zip archive")

    with pytest.raises(SystemExit) as caught:
        ensemble_modalities.python_func(
            models=[trained["joint"].model],
            scores=[broken],
            raw_bodies=prepared.raw_bodies,
            denoised=prepared.denoised,
            sequences=prepared.sequences,
            recipe=recipe_to_json(tiny),
            code_version="n",
            ensemble=make(dsl.Dataset, "ensemble"),
            metrics=make(dsl.Metrics, "metrics"),
            report=make(dsl.HTML, "report"),
        )

    assert caught.value.code == 2
    assert "last.npz" in capsys.readouterr().out
