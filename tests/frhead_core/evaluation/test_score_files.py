from __future__ import annotations

import csv
from pathlib import Path

import pytest

from frhead_core.config import override
from frhead_core.errors import InputError
from frhead_core.evaluation.metrics import predicted_classes
from frhead_core.evaluation.score_files import score_model
from frhead_core.evaluation.scores import Scores


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_imported_weights_without_metrics_are_scored(make_model, synthetic_store, tmp_path):
    scores = score_model(make_model("model"), synthetic_store, tmp_path / "scores", device="cpu")
    assert list(scores) == ["last"]
    assert Scores.load(tmp_path / "scores" / "last.npz").names == scores["last"].names


def test_every_epoch_that_was_kept_is_scored(make_model, synthetic_store, tmp_path):
    model = make_model("model", weights=("best_on_test", "last"))
    scores = score_model(model, synthetic_store, tmp_path / "scores", device="cpu")
    assert list(scores) == ["last", "best_on_test"]
    assert scores["last"].metadata["model"] != scores["best_on_test"].metadata["model"]


def test_a_model_without_weights_is_refused(make_model, synthetic_store, tmp_path):
    model = make_model("model")
    (model / "last.safetensors").unlink()
    with pytest.raises(InputError, match="holds no weights"):
        score_model(model, synthetic_store, tmp_path / "scores", device="cpu")
    assert not (tmp_path / "scores").exists()


def test_nothing_of_an_earlier_model_stays(make_model, synthetic_store, tiny_demo, tmp_path):
    held_out = override(tiny_demo, ["training.hold_out_validation=true"])
    output = tmp_path / "scores"
    first = make_model("first", recipe=held_out)
    assert list(score_model(first, synthetic_store, output, device="cpu")) == [
        "last",
        "validation_last",
    ]
    assert "validation_last.npz" in files_in(output)
    score_model(make_model("second"), synthetic_store, output, device="cpu")
    assert files_in(output) == {
        *("last.npz", "last_classes.csv", "last_confusion.csv", "cost.json")
    }


def test_a_folder_with_something_else_is_left_alone(make_model, synthetic_store, tmp_path):
    output = tmp_path / "scores"
    output.mkdir()
    (output / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="something else"):
        score_model(make_model("model"), synthetic_store, output, device="cpu")
    assert files_in(output) == {"thesis.txt"}


def test_the_parts_asked_for_are_scored_under_names_of_their_own(
    make_model, synthetic_store, tmp_path
):
    scores = score_model(
        make_model("model"),
        synthetic_store,
        tmp_path / "scores",
        parts=("train", "validation"),
        device="cpu",
    )
    assert {name: set(each.parts) for name, each in scores.items()} == {
        "train_last": {"train"},
        "validation_last": {"validation"},
    }


def test_the_tables_hold_the_accuracy_and_the_errors_of_each_class(
    make_model, synthetic_store, tmp_path
):
    folder = tmp_path / "scores"
    scores = score_model(make_model("model"), synthetic_store, folder, device="cpu")["last"]
    predictions = predicted_classes(scores.logits)
    with (folder / "last_confusion.csv").open() as file:
        header, *matrix = list(csv.reader(file))
    assert header == ["true class", *scores.class_names]
    for actual, row in enumerate(matrix):
        assert row[0] == scores.class_names[actual]
        of_class = predictions[scores.labels == actual]
        assert [int(count) for count in row[1:]] == [(of_class == k).sum() for k in range(10)]
    with (folder / "last_classes.csv").open() as file:
        classes = list(csv.DictReader(file))
    right = sum(int(row["right"]) for row in classes)
    assert right == (predictions == scores.labels).sum()
    for row in classes:
        assert float(row["accuracy"]) == pytest.approx(
            100 * int(row["right"]) / int(row["samples"]), abs=1e-4
        )
