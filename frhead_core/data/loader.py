"""Batches of a sequence store, transformed and reproducible whatever the number of workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from frhead_core.config import Modality, NTULoader, NWUCLALoader
from frhead_core.data.class_map import ClassMap
from frhead_core.data.draws import epoch_order, sample_generator
from frhead_core.data.modalities import apply_modality
from frhead_core.data.ntu_transform import NTUTransform
from frhead_core.data.nw_ucla_transform import NWUCLATransform
from frhead_core.data.ragged import RaggedBatch, RaggedReader
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.skeletons import Skeleton

WHOLE = slice(None)


@dataclass(frozen=True)
class Batch:
    """Samples ready for the model.

    Attributes:
        coordinates: (N, C, T, V, M) float32, contiguous.
        labels: (N,) int64, by the class map; without one as in the store.
        rows: (N,) int64, the index rows of the store.
    """

    coordinates: torch.Tensor
    labels: torch.Tensor
    rows: np.ndarray

    def on(self, device: torch.device) -> Batch:
        """The batch on a device; the copy to a GPU goes on while the caller does."""
        if device.type == "cpu":
            return self

        def copied(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.pin_memory().to(device, non_blocking=True)

        return Batch(copied(self.coordinates), copied(self.labels), self.rows)


class Transform(Protocol):
    """Makes model inputs of a batch; with generators as in training, without as in evaluation."""

    def __call__(
        self, batch: RaggedBatch, generators: Sequence[np.random.Generator] | None
    ) -> np.ndarray: ...


class ModelInput:
    """Makes what a model sees of sequences: transformed, one modality of it, in float32.

    Args:
        loader: The recipe's loader section.
        skeleton: The joint layout.
        modality: What the model sees.
    """

    def __init__(
        self, loader: NWUCLALoader | NTULoader, skeleton: Skeleton, modality: Modality
    ) -> None:
        self._transform = _transform(loader, skeleton)
        self._skeleton = skeleton
        self._modality = modality

    def __call__(
        self, batch: RaggedBatch, generators: Sequence[np.random.Generator] | None = None
    ) -> torch.Tensor:
        """Make a batch: as in training with one generator a sample, else as in evaluation.

        Returns:
            (N, C, T, V, M) float32, contiguous.
        """
        joints = self._transform(batch, generators)
        coordinates = apply_modality(joints, self._modality, self._skeleton)
        return torch.from_numpy(np.ascontiguousarray(coordinates, dtype=np.float32))


class SampleBatches:
    """The batches of some index rows of a store.

    In training an epoch goes ``loader.repeat`` times over the rows, in an order that depends on
    (seed, epoch) alone, and drops the last partial batch; the random draws of a sample depend on
    (seed, epoch, index in the repeated list) alone. In evaluation it goes over them once, in
    order, without random draws.

    Args:
        store: The sequences.
        rows: (n,) int64 index rows.
        loader: The recipe's loader section.
        skeleton: The joint layout.
        modality: What the model sees.
        batch_size: N.
        classes: Places of the labels among the model's outputs; None leaves the store's labels.
        training: Whether to shuffle, repeat and augment.
        seed: Decides order and draws in training.
        share: Which samples of each batch to make, for a process that has not the whole batch.
        workers: Processes that prepare batches ahead; 0 prepares them in this one.

    Raises:
        InputError: If the store has another joint layout or too many bodies, there are no rows,
            the rows do not fill one training batch, or a label is not among the classes.
    """

    def __init__(
        self,
        store: SequenceStore,
        rows: np.ndarray,
        *,
        loader: NWUCLALoader | NTULoader,
        skeleton: Skeleton,
        modality: Modality,
        batch_size: int,
        training: bool,
        classes: ClassMap | None = None,
        seed: int = 0,
        share: slice = WHOLE,
        workers: int = 0,
    ) -> None:
        _check_layout(store, skeleton)
        self._rows = np.asarray(rows, dtype=np.int64)
        _check_bodies(store, self._rows, loader)
        self._batch_size = batch_size
        self._training = training
        self._seed = seed
        self._share = share
        self._workers = workers
        self._samples = len(rows) * (loader.repeat if training else 1)
        self._prepare = _Preparation(
            store, self._rows, loader, skeleton, modality, training, classes, seed
        )
        _check_filled(len(self), self._samples, batch_size, store)

    def __len__(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(self._samples, self._batch_size)
        return whole if self._training or rest == 0 else whole + 1

    def epoch(self, epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from ``first_batch`` on; those before it are not computed."""
        if self._training:
            order = epoch_order(self._seed, epoch, self._samples)
        else:
            order = np.arange(self._samples)
        size = self._batch_size
        batches = [
            (epoch, order[number * size : (number + 1) * size][self._share])
            for number in range(first_batch, len(self))
        ]
        if self._workers == 0:
            return map(self._prepare.__getitem__, batches)
        # A generator of its own, or the loader would draw from the global one that the model uses.
        loader = DataLoader(
            self._prepare,
            batch_size=None,
            sampler=batches,
            num_workers=self._workers,
            generator=torch.Generator(),
        )
        return iter(loader)


class _Preparation(Dataset[Batch]):
    """Makes the batch of some indices in the repeated list; runs in the workers."""

    def __init__(
        self,
        store: SequenceStore,
        rows: np.ndarray,
        loader: NWUCLALoader | NTULoader,
        skeleton: Skeleton,
        modality: Modality,
        training: bool,
        classes: ClassMap | None,
        seed: int,
    ) -> None:
        self._reader = RaggedReader(store)
        labels = store.index["label"].to_numpy(dtype=np.int64)[rows]
        self._labels = labels if classes is None else classes.places(labels)
        self._rows = rows
        self._input = ModelInput(loader, skeleton, modality)
        self._training = training
        self._seed = seed

    def __getitem__(self, batch: tuple[int, np.ndarray]) -> Batch:
        epoch, indices = batch
        samples = indices % len(self._rows)
        rows = self._rows[samples]
        generators = None
        if self._training:
            generators = [sample_generator(self._seed, epoch, int(index)) for index in indices]
        return Batch(
            coordinates=self._input(self._reader.read(rows), generators),
            labels=torch.from_numpy(self._labels[samples]),
            rows=rows,
        )


def _transform(loader: NWUCLALoader | NTULoader, skeleton: Skeleton) -> Transform:
    if isinstance(loader, NTULoader):
        return NTUTransform(loader, skeleton)
    return NWUCLATransform(loader)


def _check_layout(store: SequenceStore, skeleton: Skeleton) -> None:
    there = store.layout
    if there != skeleton:
        raise InputError(
            "the store has another joint layout",
            file=store.directory,
            field="skeleton",
            found=there.name,
            expected=skeleton.name if skeleton.name != there.name else "the recipe's of that name",
            hint="Prepare the data with the recipe",
        )


def _check_bodies(store: SequenceStore, rows: np.ndarray, loader: NWUCLALoader | NTULoader) -> None:
    bodies = store.index["bodies"].to_numpy()[rows]
    if isinstance(loader, NWUCLALoader) and (bodies > 1).any():
        raise InputError(
            "the transform takes sequences of one body",
            file=store.directory,
            field=str(store.index["name"].to_numpy()[rows[np.argmax(bodies > 1)]]),
            found=f"{bodies.max()} bodies",
            expected="loader.transform ntu, or one body",
        )


def _check_filled(batches: int, samples: int, batch_size: int, store: SequenceStore) -> None:
    if batches == 0:
        raise InputError(
            "too few samples for one batch",
            file=store.directory,
            field="batch_size",
            found=f"{samples} samples",
            expected=f"at least {batch_size if samples else 1}",
        )
