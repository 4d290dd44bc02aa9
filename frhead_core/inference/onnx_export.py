"""A model as one ONNX file that says what it is, compared with torch before it is written."""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frhead_core import __version__
from frhead_core.data.store import SequenceStore
from frhead_core.errors import ExportError, InputError
from frhead_core.evaluation.logits import for_asking, output_of
from frhead_core.files import write_atomically
from frhead_core.inference.class_names import class_names
from frhead_core.models.recogniser import Recogniser
from frhead_core.optional import require_extra
from frhead_core.progress import SILENT, Reporter
from frhead_core.skeletons import skeleton
from frhead_core.training.artifact import ModelArtifact
from frhead_core.training.samples import evaluation_batches, part_rows

INPUT, OUTPUT = "coordinates", "logits"
WHICH = "last"
TOLERANCE = 1e-4
"""Largest difference that is accepted between two logits, as a share of the largest logit."""
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_SAMPLES = 128
_TRAINING_ONLY = frozenset(
    {"repeat", "rotation_degrees", "scale", "train_crop", "random_rotation", "random_scale",
     "frame_mask"}
)  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """How far two computations of the same logits are apart.

    Attributes:
        samples: How many were compared.
        difference: Largest absolute difference of two logits.
        largest: Largest absolute logit.
    """

    samples: int
    difference: float
    largest: float

    @property
    def close(self) -> bool:
        """Whether the difference is within :data:`TOLERANCE`; that of nan is not."""
        return self.difference <= TOLERANCE * self.largest


def export_onnx(
    model: ModelArtifact, output: Path, store: Path | None = None, reporter: Reporter = SILENT
) -> Agreement:
    """Write the weights ``last`` of a model as an ONNX file, and compare it with torch first.

    The file has one input, ``coordinates`` (N, C, T, V, M) float32 with any N, and one output,
    ``logits`` (N, K) float32. Its metadata hold the names of the classes and all that is to be
    known of the preparation of its input (see :func:`onnx_metadata`).

    Args:
        model: The model.
        output: The file, which replaces an older one.
        store: A sequence store, to compare on samples of its test part; None compares on noise.
        reporter: Told what is being done.

    Returns:
        How far ONNX Runtime and torch are apart.

    Raises:
        InputError: If a package is missing, or model, store or output cannot be used.
        ExportError: If the two are too far apart; nothing is written then.
    """
    require_extra("onnx", *_PACKAGES)
    if output.suffix != ".onnx":
        raise InputError("an ONNX file has another name", file=output, expected="a name in .onnx")
    batches = _noise(model) if store is None else _samples(model, SequenceStore.open(store))
    recogniser = model.load(WHICH)
    reporter.message("translating the network to ONNX; this takes about half a minute")
    content = onnx_bytes(recogniser, _noise(model)[0], onnx_metadata(model))
    agreement = compare(content, recogniser, batches)
    if not agreement.close:
        raise ExportError(
            f"{output} is not written: ONNX Runtime and torch differ by up to "
            f"{agreement.difference:.3g} on {agreement.samples} samples, more than {TOLERANCE} of "
            f"the largest logit, {agreement.largest:.4g}"
        )
    write_atomically(output, content)
    return agreement


def onnx_metadata(model: ModelArtifact) -> dict[str, str]:
    """What an ONNX file says of itself; values that are no plain text are JSON.

    ``classes``: names by index. ``modality``; ``bone_pairs``: for each joint the one that a bone is
    taken from, 0-based. ``dataset``, ``skeleton``, ``joints``: names by index. ``preparation`` and
    ``transform``: the rules of the preparation and the test-time transform. ``weights``: which of
    the model's, and their SHA-256.
    """
    recipe = model.recipe
    joints = skeleton(recipe.skeleton)
    loader = dataclasses.asdict(recipe.loader)
    facts: dict[str, Any] = {
        "classes": class_names(model),
        "modality": model.modality,
        "bone_pairs": joints.bone_pairs,
        "benchmark": recipe.name,
        "backbone": recipe.model.backbone,
        "dataset": recipe.dataset,
        "skeleton": joints.name,
        "joints": joints.joints,
        "input_axes": "N samples, C coordinates, T frames, V joints, M bodies",
        "preparation": {"compatibility": recipe.preparation.compatibility},
        "transform": {key: loader[key] for key in loader if key not in _TRAINING_ONLY},
        "weights": {"which": WHICH, "sha256": model.fingerprint(WHICH)},
        "version": __version__,
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()
    }


def onnx_bytes(model: Recogniser, example: torch.Tensor, metadata: Mapping[str, str]) -> bytes:
    """A model in evaluation mode as the content of an ONNX file.

    Args:
        model: The model.
        example: An input (N, C, T, V, M); the file takes any N.
        metadata: What the file says of itself.
    """
    samples = torch.export.Dim("N", min=1)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,  # the exporter that torch maintains; the other one is deprecated
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: samples},),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    program.model.producer_name = "frhead-pipeline"
    program.model.producer_version = __version__
    program.model.metadata_props.update(metadata)
    return bytes(program.model_proto.SerializeToString())


def compare(content: bytes, model: Recogniser, batches: list[torch.Tensor]) -> Agreement:
    """Let ONNX Runtime compute batches, and of each the first sample alone, and torch the batches.

    In torch the model is asked as in evaluation, which need not be the network that was exported.
    """
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    asked = for_asking(model, "float32")
    differences, largest = [0.0], [0.0]
    for batch in batches:
        expected = output_of(asked, batch, torch.device("cpu"), "float32")
        for rows in (slice(None), slice(1)):
            found = session.run([OUTPUT], {INPUT: batch[rows].numpy()})[0]
            differences.append(float(np.abs(found - expected[rows]).max()))
        largest.append(float(np.abs(expected).max()))
    # max() of Python passes over nan; NumPy's does not.
    return Agreement(sum(map(len, batches)), float(np.max(differences)), float(np.max(largest)))


def _noise(model: ModelArtifact) -> list[torch.Tensor]:
    """Two batches of an input's shape, of normally distributed numbers."""
    loader, joints = model.recipe.loader, skeleton(model.recipe.skeleton).joints
    generator = torch.Generator().manual_seed(0)
    shape = (3, loader.window, len(joints), loader.persons)
    return [torch.randn(count, *shape, generator=generator) for count in (3, 5)]


def _samples(model: ModelArtifact, store: SequenceStore) -> list[torch.Tensor]:
    """Samples of the test part, evenly spread, as the model sees them."""
    rows = part_rows(store, model.recipe, "test")
    spread = rows[np.unique(np.linspace(0, len(rows) - 1, _SAMPLES).astype(np.int64))]
    batches = evaluation_batches(store, model.recipe, spread, model.modality)
    return [batch.coordinates for batch in batches.epoch()]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that are not needed, and on its own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
