"""One-shot recognition: what is trained on, what is compared with what, and by which measure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frhead_core.config import Recipe, load_recipe, override
from frhead_core.data import ntu_names
from frhead_core.data.class_map import ClassMap
from frhead_core.data.loader import SampleBatches
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.parts import assign_parts
from frhead_core.data.store import PART_PREFIX, SequenceStore
from frhead_core.errors import InputError, RecipeError
from frhead_core.evaluation.metrics import summarise
from frhead_core.evaluation.one_shot import anchor_similarities
from frhead_core.evaluation.part_scorer import PartScorer
from frhead_core.evaluation.predict import evaluate_model
from frhead_core.evaluation.scores import read_scores
from frhead_core.inference.class_names import class_names
from frhead_core.skeletons import skeleton
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.loop import TrainingJob, train
from frhead_core.training.samples import check_labels, part_rows, training_batches

# Labels in an order of their own: trained on are 70, 4 and 19, of which 19 can be held out.
RECIPE = override(
    load_recipe("ntu120-oneshot"),
    {
        "classes": 3,
        "split.train": [70, 4, 19],
        "split.test": [6, 0],
        "split.anchors": ["S001C003P008R001A007", "S001C003P008R001A001"],
        "validation.values": [19],
        "validation.anchors": ["S001C003P008R001A020"],
        "loader.window": 16,
        "model.base_channels": 8,
        "training.epochs": 1,
        "training.batch_size": 2,
    },
)
HELD_OUT = override(RECIPE, ["training.hold_out_validation=true"])
NAMES = sorted(
    f"S{setup:03}C00{camera}P008R001A{action:03}"
    for setup, actions in ((1, (1, 5, 7, 20)), (18, (71,)))
    for camera in (1, 2, 3)
    for action in actions
)


def write_store(
    output: Path, names: Sequence[str] = NAMES, other_parts: dict[str, str] | None = None
) -> SequenceStore:
    """A store of random sequences of one and of two bodies."""
    metadata = StoreMetadata(
        "sequence store", "ntu120", "ntu", "float32", "mark", ntu_names.NTU120.classes
    )
    generator = np.random.default_rng(4)
    recordings = [ntu_names.recording(name) for name in names]
    with PackedWriter(output, metadata, joints=25) as writer:
        for number, recording in enumerate(recordings):
            sequence = generator.normal(size=(1 + number % 2, 20 + number, 25, 3))
            writer.add(recording, sequence.astype(np.float32))
        parts = assign_parts(pd.DataFrame(map(vars, recordings)), RECIPE.split)
        changed = [(other_parts or {}).get(*pair) for pair in zip(names, parts, strict=True)]
        writer.add_column(PART_PREFIX + RECIPE.name, changed)
    return SequenceStore.open(output)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SequenceStore:
    return write_store(tmp_path_factory.mktemp("one-shot") / "store")


def trained(store: SequenceStore, folder: Path, recipe: Recipe = RECIPE) -> ModelArtifact:
    job = TrainingJob(
        recipe=recipe,
        modality="joint",
        store=store.directory,
        output=folder / "model",
        checkpoint_root=folder / "checkpoints",
        code_version="test",
        threads=1,
        device="cpu",
    )
    train(job)
    return ModelArtifact.open(folder / "model")


@pytest.fixture(scope="module")
def artifact(store: SequenceStore, tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    return trained(store, tmp_path_factory.mktemp("trained"))


def names_of(store: SequenceStore, rows: np.ndarray) -> set[str]:
    return set(store.index["name"].to_numpy()[rows])


def of_actions(*actions: int) -> set[str]:
    return {name for name in NAMES if int(name[-3:]) in actions}


def cosines_one_by_one(
    artifact: ModelArtifact, store: SequenceStore, samples: Sequence[str], anchors: Sequence[str]
) -> list[list[float]]:
    """The protocol once more, sample by sample: what enters the classifier, and plain sums."""
    model, entered = artifact.load("last"), []
    model.backbone.classifier.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    row_of = {name: row for row, name in enumerate(store.index["name"])}
    for name in (*samples, *anchors):
        batches = SampleBatches(
            store, np.array([row_of[name]]), loader=RECIPE.loader, skeleton=skeleton("ntu"),
            modality="joint", batch_size=1, training=False,
        )  # fmt: skip
        with torch.no_grad():
            model(next(batches.epoch()).coordinates)
    vectors = [each[0].double().tolist() for each in entered]

    def cosine(one: list[float], other: list[float]) -> float:
        product = sum(a * b for a, b in zip(one, other, strict=True))
        return product / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))

    known = vectors[len(samples) :]
    return [[cosine(vector, anchor) for anchor in known] for vector in vectors[: len(samples)]]


# --- the measure ---------------------------------------------------------------------------------

vectors = st.lists(
    st.lists(st.floats(-8, 8, width=16), min_size=3, max_size=3), min_size=1, max_size=4
)


@given(vectors, vectors)
def test_similarities_are_cosines(features: list[list[float]], anchors: list[list[float]]) -> None:
    found = anchor_similarities(np.array(features, np.float32), np.array(anchors, np.float32))
    assert found.shape == (len(features), len(anchors)) and found.dtype == np.float32
    for row, one in zip(found, features, strict=True):
        for value, other in zip(row, anchors, strict=True):
            lengths = math.hypot(*one) * math.hypot(*other)
            product = sum(a * b for a, b in zip(one, other, strict=True))
            assert value == pytest.approx(product / lengths if lengths else 0, abs=1e-6)


# --- who belongs where ---------------------------------------------------------------------------


def test_trained_on_are_the_auxiliary_classes_alone(store: SequenceStore) -> None:
    assert names_of(store, part_rows(store, RECIPE, "train")) == of_actions(5, 20, 71)
    assert names_of(store, part_rows(store, HELD_OUT, "train")) == of_actions(5, 71)
    seen: set[tuple[str, int]] = set()
    for batch in training_batches(store, RECIPE, "joint").epoch():
        names = store.index["name"].to_numpy()[batch.rows]
        seen |= set(zip(names, batch.labels.tolist(), strict=True))
    assert {name for name, _ in seen} <= of_actions(5, 20, 71)
    outputs = ClassMap(RECIPE.trained_labels)
    for name, output in seen:
        assert output == {71: 0, 5: 1, 20: 2}[int(name[-3:])]
        assert outputs.labels[output] == int(name[-3:]) - 1


def test_compared_are_the_novel_classes_without_their_anchors(store: SequenceStore) -> None:
    scorer = PartScorer(store, RECIPE, "joint", "test")
    assert set(scorer.names) == of_actions(1, 7) - set(RECIPE.split.anchors)
    assert scorer.class_names == ("throw", "drink water")
    assert [int(name[-3:]) for name in scorer.names] == [{0: 7, 1: 1}[n] for n in scorer.labels]


def test_held_out_classes_are_compared_in_the_same_way(store: SequenceStore) -> None:
    scorer = PartScorer(store, HELD_OUT, "joint", "validation")
    assert set(scorer.names) == of_actions(20) - {"S001C003P008R001A020"}
    assert scorer.class_names == (ntu_names.class_names()[19],)
    assert not names_of(store, part_rows(store, HELD_OUT, "train")) & of_actions(20)


# --- training and evaluating ---------------------------------------------------------------------


def test_scores_are_what_the_protocol_says(
    store: SequenceStore, artifact: ModelArtifact, tmp_path: Path
) -> None:
    scores = evaluate_model(artifact.directory, store.directory, part="test", device="cpu")

    expected = cosines_one_by_one(artifact, store, scores.names, RECIPE.split.anchors)
    np.testing.assert_allclose(scores.logits, expected, atol=1e-5)
    assert scores.class_names == ("throw", "drink water")
    assert not scores.seen_in_training.any()
    nearest = [RECIPE.split.test[int(np.argmax(row))] for row in expected]
    right = [int(name[-3:]) - 1 == label for name, label in zip(scores.names, nearest, strict=True)]
    assert summarise(scores.logits, scores.labels)["top1_right"] == sum(right)

    scores.save(tmp_path / "last.npz")
    assert read_scores(tmp_path / "last.npz", recipe=RECIPE).names == scores.names
    with pytest.raises(InputError, match="scores of another benchmark"):
        read_scores(tmp_path / "last.npz", recipe=load_recipe("ntu120-xsub"))


def test_a_share_of_the_samples_is_compared_with_all_anchors(
    store: SequenceStore, artifact: ModelArtifact
) -> None:
    scorers = [
        PartScorer(store, RECIPE, "joint", "test", share=share)
        for share in (None, lambda rows: rows[0::2], lambda rows: rows[1::2])
    ]
    model, device = artifact.load("last"), torch.device("cpu")
    whole, even, odd = (scorer.scores(model, device=device) for scorer in scorers)
    np.testing.assert_allclose(even, whole[0::2], atol=1e-6)
    np.testing.assert_allclose(odd, whole[1::2], atol=1e-6)
    assert len({tuple(scorer.labels) for scorer in scorers}) == 1


def test_every_epoch_is_judged_by_the_protocol(
    store: SequenceStore, artifact: ModelArtifact
) -> None:
    scores = evaluate_model(artifact.directory, store.directory, part="test", device="cpu")
    (row,) = artifact.history()
    assert row["evaluated_part"] == "test"
    assert {key: row[key] for key in ("samples", "top1", "loss")} == pytest.approx(
        {key: summarise(scores.logits, scores.labels)[key] for key in ("samples", "top1", "loss")}
    )


def test_the_model_knows_its_classes_by_name(store: SequenceStore, artifact: ModelArtifact) -> None:
    names = ntu_names.class_names()
    assert artifact.metadata["classes"] == [names[70], names[4], names[19]]
    unnamed = {key: value for key, value in artifact.metadata.items() if key != "classes"}
    unnamed_model = dataclasses.replace(artifact, metadata=unnamed)
    assert list(class_names(unnamed_model)) == list(class_names(artifact))
    assert "one-shot recognition: of 2 other actions" in (
        artifact.directory / "README.md"
    ).read_text(encoding="utf-8")
    assert artifact.training_samples() == of_actions(5, 20, 71)
    scores = evaluate_model(artifact.directory, store.directory, part="train", device="cpu")
    assert list(scores.class_names) == artifact.metadata["classes"]
    assert scores.logits.shape == (9, 3)
    assert scores.seen_in_training.all()


def test_without_the_held_out_classes_in_training(store: SequenceStore, tmp_path: Path) -> None:
    artifact = trained(store, tmp_path, HELD_OUT)
    assert artifact.training_samples() == of_actions(5, 71)
    scores = evaluate_model(artifact.directory, store.directory, part="validation", device="cpu")
    expected = cosines_one_by_one(artifact, store, scores.names, RECIPE.validation.anchors)
    np.testing.assert_allclose(scores.logits, expected, atol=1e-5)
    assert scores.logits.shape == (2, 1)


# --- what is refused -----------------------------------------------------------------------------


def test_a_missing_anchor_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    missing = "S001C003P008R001A007"
    store = write_store(tmp_path / "store", [name for name in NAMES if name != missing])
    with pytest.raises(InputError, match=f"anchors of the one-shot .* found no {missing}; .* 2"):
        trained(store, tmp_path)
    assert not (tmp_path / "model").exists()


def test_an_anchor_of_another_class_is_named(store: SequenceStore) -> None:
    swapped = override(RECIPE, {"split.anchors": list(reversed(RECIPE.split.anchors))})
    with pytest.raises(InputError, match=r"S001C003P008R001A001: .*another class; found label 0"):
        PartScorer(store, swapped, "joint", "test")


@pytest.mark.parametrize(
    ("name", "part"), [("S001C001P008R001A001", "train"), ("S018C001P008R001A071", "test")]
)
def test_a_store_that_mixes_the_classes_is_refused(tmp_path: Path, name: str, part: str) -> None:
    store = write_store(tmp_path / "store", other_parts={name: part})
    with pytest.raises(InputError, match=f"{name}: .*; expected one of the .* of the {part} part"):
        check_labels(store, RECIPE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split.anchors": ["S001C003P008R001A001"]}, "1 different anchors for 2 classes"),
        ({"split.column": "performer"}, "column must be label and not performer"),
        ({"classes": 4}, "classes is 4; with split.anchors .* those of split.train: 3"),
        ({"validation.anchors": []}, "every class in validation.values needs one"),
        ({"split.anchors": []}, "validation.anchors without split.anchors"),
        ({"split.test": [4, 0]}, r"label \[4\] is in both train and test"),
    ],
)
def test_recipes_that_contradict_themselves(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        override(RECIPE, settings)
