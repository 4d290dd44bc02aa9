"""The batched loader over the packed store against one that makes sample after sample."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from benchmarks.measure import Comparison, compare_rates
from benchmarks.plain_loader import PlainNWUCLA
from frhead_core.config import Modality, Recipe, load_recipe, override
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    fingerprint,
    transform_sequences,
)
from frhead_core.data.loader import Batch, SampleBatches
from frhead_core.data.store import SequenceStore
from frhead_core.data.synthetic import write_nw_ucla
from frhead_core.skeletons import skeleton

TOLERANCE = 1e-6  # of coordinates between -2 and 2, in float32
CASES: tuple[tuple[Modality, bool], ...] = (
    ("joint", True),
    ("bone_motion", True),
    ("joint", False),
)


def measure() -> Iterator[Comparison]:
    recipe = override(load_recipe("nw-ucla"), {"preparation.official_list": False})
    with tempfile.TemporaryDirectory() as folder:
        store = prepared_store(Path(folder), recipe)
        for modality, training in CASES:
            ours = our_batches(store, recipe, modality, training)
            plain = plain_batches(store, recipe, modality, training)
            if not training:
                assert_equal_batches(plain, ours.epoch())
            yield compare_rates(
                f"loader, {modality.replace('_', ' ')}, {'training' if training else 'test'}",
                "samples/s",
                len(ours) * recipe.training.batch_size,
                partial(exhaust, plain.__iter__),
                partial(exhaust, ours.epoch),
            )


def prepared_store(folder: Path, recipe: Recipe, performers: int = 16) -> SequenceStore:
    """A store of synthetic recordings, 20 for each performer, all of the training part."""
    raw = write_nw_ucla(folder / "raw.zip", performers=performers, replications=1, views=2)
    digest = fingerprint(recipe.dataset, raw)
    bodies, denoised, store = folder / "bodies", folder / "denoised", folder / "store"
    extract_raw_skeletons(recipe.dataset, raw, bodies, recipe.preparation, digest)
    denoise_skeletons(recipe.dataset, bodies, denoised, recipe.preparation)
    splits = {recipe.name: recipe.split}
    transform_sequences(recipe.dataset, denoised, store, splits, recipe.preparation)
    return SequenceStore.open(store)


def our_batches(
    store: SequenceStore, recipe: Recipe, modality: Modality, training: bool
) -> SampleBatches:
    return SampleBatches(
        store,
        store.rows(recipe.name, "train"),
        loader=recipe.loader,
        skeleton=skeleton(recipe.skeleton),
        modality=modality,
        batch_size=recipe.training.batch_size,
        training=training,
    )


def plain_batches(
    store: SequenceStore, recipe: Recipe, modality: Modality, training: bool
) -> DataLoader[tuple[np.ndarray, int]]:
    rows = store.rows(recipe.name, "train")
    dataset = PlainNWUCLA(
        [np.array(store.sequence(int(row))[0]) for row in rows],
        [int(store.index["label"][row]) for row in rows],
        skeleton(recipe.skeleton).bone_pairs,
        bones=modality.startswith("bone"),
        motion=modality.endswith("motion"),
        training=training,
        repeat=recipe.loader.repeat,
    )
    size = recipe.training.batch_size
    return DataLoader(dataset, batch_size=size, shuffle=training, drop_last=training)


def exhaust(epoch: Callable[[], Iterable[object]]) -> int:
    return sum(1 for _ in epoch())


def assert_equal_batches(plain: DataLoader[tuple[np.ndarray, int]], ours: Iterator[Batch]) -> None:
    """Without random draws the two must give the same."""
    for expected, found in zip(plain, ours, strict=True):
        coordinates, labels = expected
        if not np.allclose(found.coordinates, coordinates, rtol=0, atol=TOLERANCE):
            raise AssertionError("the two loaders give different coordinates")
        if not np.array_equal(found.labels, labels):
            raise AssertionError("the two loaders give different labels")
