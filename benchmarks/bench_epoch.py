"""Training fed by the loader against training on batches that lie ready, in NW-UCLA's shapes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from torch import Tensor

from benchmarks.bench_loader import our_batches, prepared_store
from benchmarks.bench_model import equal_models, update
from benchmarks.measure import Comparison, compare_rates
from frhead_core.config import load_recipe, override
from frhead_core.data.loader import Batch

PERFORMERS = 1  # 20 recordings, five times each


def measure() -> Iterator[Comparison]:
    recipe = override(load_recipe("nw-ucla"), {"preparation.official_list": False})
    _, model = equal_models(recipe)
    step = update(model, bfloat16=True)
    with tempfile.TemporaryDirectory() as folder:
        store = prepared_store(Path(folder), recipe, PERFORMERS)
        batches = our_batches(store, recipe, "joint", training=True)
        ready = list(batches.epoch())
        yield compare_rates(
            "epoch of training in bfloat16, fed by the loader, to batches that lie ready",
            "samples/s",
            len(ready) * recipe.training.batch_size,
            partial(train, step, ready),
            lambda: train(step, batches.epoch()),
        )


def train(step: Callable[[Tensor, Tensor], None], batches: Iterable[Batch]) -> None:
    for each in batches:
        step(each.coordinates, each.labels)
