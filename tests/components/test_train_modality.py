from __future__ import annotations

import json
from pathlib import Path

import pytest
from kfp import dsl

from components import runtime
from components.object_storage.directories import push
from components.train_modality.component import train_modality
from frhead_core.config import recipe_to_json
from frhead_core.training.artifact import ModelArtifact


def test_the_model_and_its_metrics(trained) -> None:
    made = trained["joint"]
    model = ModelArtifact.open(Path(made.model.path))

    assert (model.modality, model.metadata["code_version"]) == ("joint", "c")
    assert made.model.metadata["modality"] == "joint"
    assert made.model_metrics.metadata["last_samples"] == 20
    # Without a file at its path the step would never be found in the local cache.
    assert json.loads(Path(made.model_metrics.path).read_text()) == made.model_metrics.metadata


def test_other_threads_and_checkpoint_places_are_not_parameters() -> None:
    assert set(train_modality.component_spec.inputs) == {
        "sequences",
        "modality",
        "recipe",
        "weights",
        "weights_digest",
        "code_version",
    }


def test_several_processes_share_the_batches(
    prepared,
    tiny,
    make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(runtime.CHECKPOINT_ROOT, str(tmp_path))
    monkeypatch.setenv(runtime.THREADS, "1")
    monkeypatch.setenv(runtime.PROCESSES, "2")
    model = make(dsl.Model, "model")
    train_modality.python_func(
        sequences=prepared.sequences,
        modality="joint",
        recipe=recipe_to_json(tiny.for_training("joint")),
        weights="",
        weights_digest="",
        code_version="c",
        model=model,
        metrics=make(dsl.Metrics, "metrics"),
    )

    assert ModelArtifact.open(Path(model.path)).metadata["processes"] == 2
    # Progress comes from the leading one alone.
    assert capfd.readouterr().out.count("epoch 1/1: loss") == 1


def test_an_unknown_modality_ends_the_step_with_2(
    prepared,
    tiny,
    make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(runtime.CHECKPOINT_ROOT, str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        train_modality.python_func(
            sequences=prepared.sequences,
            modality="elbow",
            recipe=recipe_to_json(tiny.for_training("joint")),
            weights="",
            weights_digest="",
            code_version="c",
            model=make(dsl.Model, "model"),
            metrics=make(dsl.Metrics, "metrics"),
        )

    assert caught.value.code == 2
    assert "elbow" in capsys.readouterr().out


@pytest.mark.s3
def test_a_given_model_in_object_storage_is_fetched(
    trained, prepared, tiny, make, bucket, store, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ModelArtifact.open(Path(trained["joint"].model.path))
    push(given.directory, bucket / "joint", store)
    model = make(dsl.Model, "model")

    def train(digest: str) -> None:
        train_modality.python_func(
            sequences=prepared.sequences,
            modality="joint",
            recipe=recipe_to_json(tiny.for_training("joint")),
            weights=f"{bucket}/joint",
            weights_digest=digest,
            code_version="c",
            model=model,
            metrics=make(dsl.Metrics, "metrics"),
        )

    train(given.content_digest())
    taken = ModelArtifact.open(Path(model.path))
    assert taken.weights("last") == given.weights("last")
    assert taken.metadata["given"] == f"SHA-256 {given.content_digest()}"
    with pytest.raises(SystemExit):
        train("0" * 64)
    assert f"error: {bucket}/joint: the given model has changed" in capsys.readouterr().out


def test_a_given_model_is_taken_over_unless_it_has_changed(
    trained, prepared, tiny, make, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ModelArtifact.open(Path(trained["joint"].model.path))
    model, metrics = make(dsl.Model, "model"), make(dsl.Metrics, "metrics")

    def train(digest: str) -> None:
        train_modality.python_func(
            sequences=prepared.sequences,
            modality="joint",
            recipe=recipe_to_json(tiny.for_training("joint")),
            weights=str(given.directory),
            weights_digest=digest,
            code_version="c",
            model=model,
            metrics=metrics,
        )

    train(given.content_digest())
    taken = ModelArtifact.open(Path(model.path))
    assert taken.weights("last") == given.weights("last")
    assert taken.metadata["given"] == f"SHA-256 {given.content_digest()}"
    assert model.metadata["given"] == taken.metadata["given"]
    assert metrics.metadata == trained["joint"].model_metrics.metadata
    with pytest.raises(SystemExit) as caught:
        train("0" * 64)
    assert caught.value.code == 2
    assert "has changed since the run was started" in capsys.readouterr().out
