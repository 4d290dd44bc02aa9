"""The scores of one part of a benchmark, by whichever protocol the benchmark has for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from frhead_core.config import Modality, Precision, Recipe
from frhead_core.data.class_map import ClassMap
from frhead_core.data.store import SequenceStore
from frhead_core.evaluation.logits import sample_outputs, score_samples
from frhead_core.evaluation.one_shot import anchor_similarities
from frhead_core.models.recogniser import Recogniser
from frhead_core.progress import Reporter
from frhead_core.training.samples import (
    Part,
    anchor_rows,
    evaluation_batches,
    part_rows,
    sample_names,
)


class PartScorer:
    """Scores samples over classes: by the classifier, or where there are anchors, by the nearest.

    Args:
        store: The sequences.
        recipe: The benchmark; whether a part has anchors is up to its split.
        modality: What the model sees.
        part: Part of the benchmark's split.
        workers: Processes that prepare batches ahead; 0 prepares them in this one.
        share: Which of the rows to score; all if not given.

    Attributes:
        rows: (n,) int64 index rows of the samples; an anchor is never among them.
        names: Of the samples.
        labels: (n,) int64, places among the K classes.
        class_names: Of the K classes.

    Raises:
        InputError: If the part has no samples, an anchor is missing, or the store does not fit.
    """

    def __init__(
        self,
        store: SequenceStore,
        recipe: Recipe,
        modality: Modality,
        part: Part,
        workers: int = 0,
        share: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        classes = ClassMap(recipe.scored_labels(part))
        self.rows = part_rows(store, recipe, part)
        self.names = sample_names(store, self.rows)
        self.labels = classes.places(store.index["label"].to_numpy(dtype=np.int64)[self.rows])
        self.class_names = classes.names(store.metadata.classes)
        own = self.rows if share is None else share(self.rows)
        self._samples = evaluation_batches(store, recipe, own, modality, workers)
        anchors = anchor_rows(store, recipe, part)
        self._anchors = (
            evaluation_batches(store, recipe, anchors, modality) if anchors.size else None
        )

    def __len__(self) -> int:
        return len(self.rows)

    def first_batch(self) -> Tensor:
        """Some of the samples: (N, C, T, V, M)."""
        return next(self._samples.epoch()).coordinates

    def scores(
        self,
        model: Recogniser,
        *,
        device: torch.device,
        precision: Precision = "float32",
        reporter: Reporter | None = None,
    ) -> np.ndarray:
        """Logits of every sample, or its cosine similarity to the anchor of every class.

        Args:
            model: Stays in the mode it is in.
            device: Where the model is.
            precision: Of the backbone.
            reporter: Told of each sample that is done.

        Returns:
            (n, K) float32; of a share, the rows of that share.
        """
        if self._anchors is None:
            return score_samples(
                model, self._samples, device=device, precision=precision, reporter=reporter
            )
        anchors = sample_outputs(
            model, Recogniser.features, self._anchors, device=device, precision=precision
        )
        features = sample_outputs(
            model,
            Recogniser.features,
            self._samples,
            device=device,
            precision=precision,
            reporter=reporter,
        )
        return anchor_similarities(features, anchors)
