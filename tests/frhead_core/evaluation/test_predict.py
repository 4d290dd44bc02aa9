from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frhead_core.config import load_recipe, override
from frhead_core.errors import InputError
from frhead_core.evaluation.metrics import summarise
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.training.loop import TrainedModel, TrainingJob, train


@pytest.fixture(scope="module")
def trained(synthetic_store: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    folder = tmp_path_factory.mktemp("trained")
    settings = {
        "model.base_channels": 8,
        "training.batch_size": 8,
        "training.epochs": 1,
        "training.hold_out_validation": True,
        "loader.repeat": 1,
    }
    return train(
        TrainingJob(
            recipe=override(load_recipe("demo-nw-ucla"), settings),
            modality="bone",
            store=synthetic_store,
            output=folder / "model",
            checkpoint_root=folder / "checkpoints",
            code_version="test",
            threads=1,
            device="cpu",
        )
    )


def test_scores_are_those_of_the_training_history(
    trained: TrainedModel, synthetic_store: Path
) -> None:
    scores = evaluate_model(trained.directory, synthetic_store, part="validation", device="cpu")
    figures = summarise(scores.logits, scores.labels)
    for name in ("top1", "top5", "loss", "samples"):
        assert figures[name] == pytest.approx(trained.metrics["last"][name])
    assert scores.metadata["epoch"] == 1
    assert scores.metadata["modality"] == "bone"
    assert len(scores.metadata["classes"]) == 10


def test_every_sample_knows_its_part_and_whether_it_was_seen(
    trained: TrainedModel, synthetic_store: Path
) -> None:
    views = {}
    for part in ("train", "validation", "test"):
        scores = evaluate_model(trained.directory, synthetic_store, part=part, device="cpu")
        assert set(scores.parts) == {part}
        assert np.all(scores.seen_in_training == (part == "train"))
        views[part] = {name[-3:] for name in scores.names}
    assert views == {"train": {"v01"}, "validation": {"v02"}, "test": {"v03"}}


def test_bad_arguments_are_named(trained: TrainedModel, synthetic_store: Path) -> None:
    with pytest.raises(InputError, match="expected best_on_validation or last"):
        evaluate_model(trained.directory, synthetic_store, part="test", which="best_on_test")
    with pytest.raises(InputError, match=r"unknown device.*found tpu"):
        evaluate_model(trained.directory, synthetic_store, part="test", device="tpu")
    with pytest.raises(InputError, match=r"metadata\.json.*cannot be read"):
        evaluate_model(synthetic_store.parent / "nothing", synthetic_store, part="test")
