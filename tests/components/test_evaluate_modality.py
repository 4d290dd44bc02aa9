from __future__ import annotations

from pathlib import Path

import pytest

from frhead_core.evaluation.scores import read_scores


def test_scores_metrics_and_confusion_matrix_agree(trained, tiny) -> None:
    made = trained["bone"]
    folder = Path(made.scores.path)

    assert sorted(file.name for file in folder.glob("*.npz")) == ["best_on_test.npz", "last.npz"]
    scores = read_scores(folder / "last.npz", recipe=tiny, modality="bone")
    right = int((scores.logits.argmax(1) == scores.labels).sum())
    assert made.metrics.metadata["last_top1"] == pytest.approx(100 * right / 20)
    matrix = made.confusion.metadata["confusionMatrix"]
    counts = [row["row"] for row in matrix["rows"]]
    assert sum(counts[place][place] for place in range(10)) == right
    assert [row["displayName"] for row in matrix["annotationSpecs"]] == list(scores.class_names)
    assert made.scores.metadata["modality"] == "bone"
    assert made.metrics.metadata["flops"] > 0
    assert made.metrics.metadata["latency_ms"] > 0
    assert Path(made.confusion.path).exists()
    assert Path(made.metrics.path).exists()


def test_nothing_measured_gets_into_what_cache_keys_are_made_of(trained) -> None:
    made = trained["joint"]
    measured = {"cost", "latency_ms", "samples_per_second", "flops"}

    assert (Path(made.scores.path) / "cost.json").exists()
    assert not measured & made.scores.metadata.keys()
    assert not measured & made.model.metadata.keys()


def test_a_held_out_part_is_scored_apart_from_the_test_part(
    trained_without_validation, tiny
) -> None:
    made = trained_without_validation["joint"]
    folder = Path(made.scores.path)

    names = sorted(file.stem for file in folder.glob("*.npz"))
    assert names == ["best_on_validation", "last", "validation_last"]
    held_out = read_scores(folder / "validation_last.npz", recipe=tiny)
    assert set(held_out.parts) == {"validation"}
    assert not held_out.seen_in_training.any()
    assert set(read_scores(folder / "last.npz", recipe=tiny).parts) == {"test"}
    assert made.metrics.metadata["validation_last_samples"] == 20
