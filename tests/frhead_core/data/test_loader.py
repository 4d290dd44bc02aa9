from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frhead_core.config import load_recipe
from frhead_core.data.loader import SampleBatches
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.recordings import Recording
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.skeletons import skeleton

RECIPE = load_recipe("demo-nw-ucla")
LAYOUT = skeleton("nw-ucla")
LENGTHS = [5, 40, 1, 60, 33, 7, 20, 90, 52, 53, 11]  # 8 train, 3 test


@pytest.fixture
def store(write_store):
    return SequenceStore.open(write_store(LENGTHS))


def batches(store, training=True, part="train", **options):
    arguments = {
        "loader": RECIPE.loader,
        "skeleton": LAYOUT,
        "modality": "joint",
        "batch_size": 3,
        "training": training,
        "seed": 1,
    }
    return SampleBatches(store, store.rows("b", part), **(arguments | options))


def joined(iterator):
    found = list(iterator)
    coordinates = torch.cat([batch.coordinates for batch in found])
    return coordinates.numpy(), np.concatenate([batch.rows for batch in found])


def test_what_a_batch_is(store):
    batch = next(batches(store).epoch())
    assert batch.coordinates.shape == (3, 3, 52, 20, 1)
    assert batch.coordinates.dtype == torch.float32
    assert batch.coordinates.is_contiguous()
    assert batch.labels.dtype == torch.int64
    assert batch.labels.tolist() == store.index["label"].to_numpy()[batch.rows].tolist()


def test_training_repeats_shuffles_and_drops_the_rest(store):
    assert RECIPE.loader.repeat == 2
    loader = batches(store)
    assert len(loader) == 5  # 8 sequences twice are 16 samples
    _, rows = joined(loader.epoch(0))
    assert len(rows) == 15
    assert set(rows) == set(store.rows("b", "train"))
    assert np.bincount(rows).max() == 2
    assert sorted(rows) != rows.tolist()
    assert joined(loader.epoch(1))[1].tolist() != rows.tolist()


def test_evaluation_goes_once_in_order_without_draws(store):
    loader = batches(store, training=False, batch_size=5, part="train")
    assert len(loader) == 2
    coordinates, rows = joined(loader.epoch())
    assert rows.tolist() == store.rows("b", "train").tolist()
    again, _ = joined(batches(store, training=False, batch_size=8, seed=9).epoch(4))
    np.testing.assert_array_equal(coordinates, again)


def by_sample(store, epoch, **options):
    """The coordinates of every sample of an epoch, sorted so that batches do not matter."""
    coordinates, rows = joined(batches(store, **options).epoch(epoch))
    return sorted((row, values.tobytes()) for row, values in zip(rows, coordinates, strict=True))


def test_draws_depend_on_seed_and_epoch_and_repetition(store):
    sets = [
        {values for _, values in by_sample(store, epoch, seed=seed, batch_size=1)}
        for seed in (1, 2)
        for epoch in (0, 1)
    ]
    # The sequence of a single frame is flat in time: it still differs by how it is turned.
    assert all(len(samples) == 16 for samples in sets)
    assert len(set.union(*sets)) == 64


def test_draws_do_not_depend_on_the_batch(store):
    assert by_sample(store, 3, batch_size=2) == by_sample(store, 3, batch_size=4)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(epoch=st.integers(0, 3), first=st.integers(0, 6), training=st.booleans())
def test_an_epoch_can_be_taken_up_anywhere(store, epoch, first, training):
    loader = batches(store, training=training, batch_size=2)
    whole, resumed = list(loader.epoch(epoch)), list(loader.epoch(epoch, first))
    assert len(resumed) == max(len(loader) - first, 0)
    for one, other in zip(whole[first:], resumed, strict=True):
        assert torch.equal(one.coordinates, other.coordinates)
        assert one.rows.tolist() == other.rows.tolist()


def test_skipped_batches_are_not_computed(store, monkeypatch):
    loader = batches(store, batch_size=2)
    read = []
    original = type(loader._prepare._reader).read
    monkeypatch.setattr(
        type(loader._prepare._reader),
        "read",
        lambda reader, rows: read.append(len(rows)) or original(reader, rows),
    )
    next(loader.epoch(0, first_batch=6))
    assert read == [2]


@pytest.mark.parametrize("training", [True, False])
def test_workers_change_nothing(store, training):
    for modality in ("joint", "bone_motion"):
        alone, rows = joined(batches(store, training, modality=modality).epoch(2, 1))
        helped = batches(store, training, modality=modality, workers=2).epoch(2, 1)
        by_workers, worker_rows = joined(helped)
        np.testing.assert_array_equal(alone, by_workers)
        np.testing.assert_array_equal(rows, worker_rows)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_global_random_state_is_left_alone(store, workers):
    before = torch.get_rng_state()
    list(batches(store, workers=workers).epoch())
    assert torch.equal(torch.get_rng_state(), before)


def test_what_goes_to_a_worker_is_small(store):
    loader = batches(store)
    text = pickle.dumps(loader._prepare)
    assert len(text) < 10_000 < store.coordinates.nbytes
    copy = pickle.loads(text)
    indices = np.arange(4)
    assert torch.equal(copy[0, indices].coordinates, loader._prepare[0, indices].coordinates)


def test_two_bodies(tmp_path):
    metadata = StoreMetadata("sequence store", "ntu60", "ntu", "float32", "mark", ("a",))
    generator = np.random.default_rng(0)
    with PackedWriter(tmp_path / "store", metadata, joints=25) as writer:
        for number, (bodies, frames) in enumerate([(1, 70), (2, 30), (2, 100), (1, 64)]):
            who = Recording(f"r{number}", 1, 1, 1, 1, 1, 0)
            writer.add(who, generator.normal(size=(bodies, frames, 25, 3)))
        writer.add_column("part:b", ["train"] * 4)
    store = SequenceStore.open(tmp_path / "store")
    options = {"loader": load_recipe("ntu60-xsub").loader, "skeleton": skeleton("ntu")}
    batch = next(batches(store, batch_size=4, modality="bone", **options).epoch())
    assert batch.coordinates.shape == (4, 3, 64, 25, 2)
    assert batch.coordinates.is_contiguous()
    second_is_there = batch.coordinates[..., 1].abs().amax(dim=(1, 2, 3)) > 0
    assert dict(zip(batch.rows.tolist(), second_is_there.tolist(), strict=True)) == {
        0: False,
        1: True,
        2: True,
        3: False,
    }


def test_another_layout_is_refused(store):
    with pytest.raises(InputError, match="another joint layout; found nw-ucla; expected ntu"):
        batches(store, skeleton=skeleton("ntu"))


def test_too_few_samples(store):
    with pytest.raises(InputError, match=r"batch_size.*found 16 samples; expected at least 17"):
        batches(store, batch_size=17)
    with pytest.raises(InputError, match="found 0 samples; expected at least 1"):
        SampleBatches(
            store,
            np.array([], dtype=np.int64),
            loader=RECIPE.loader,
            skeleton=LAYOUT,
            modality="joint",
            batch_size=4,
            training=False,
        )
