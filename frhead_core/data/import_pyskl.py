"""PYSKL's annotation pickles of NTU RGB+D's 3D skeletons as a sequence store.

Such a file is a dict with ``split``, lists of names by part, and ``annotations``, a list of dicts
with ``frame_dir`` (the recording), ``label``, ``total_frames`` and ``keypoint`` (M, T, V, C). It is
read without running anything in it, and the coordinates stay in the file until their turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frhead_core.config import Recipe, load_recipe
from frhead_core.data import ntu_names
from frhead_core.data.import_npz import file_fingerprint
from frhead_core.data.ntu_denoise import NOTHING_TRACKED
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.parts import Parts, count_parts
from frhead_core.data.presence import present
from frhead_core.data.quarantine import refuse_nothing, stop_above
from frhead_core.data.ragged import RaggedBatch
from frhead_core.data.recordings import Quarantined, Recording
from frhead_core.data.registry import Dataset, find_dataset
from frhead_core.data.step_report import StepReport
from frhead_core.data.store import PART_PREFIX, SequenceStore
from frhead_core.errors import InputError
from frhead_core.progress import SILENT, Reporter, reporting
from frhead_core.restricted_pickle import ANNOTATIONS, PickledArray, open_restricted
from frhead_core.skeletons import skeleton

_BENCHMARKS = ("xsub", "xview", "xset")
_PARTS = {"train": "train", "val": "test"}
_MOST_BODIES = 2


@dataclass(frozen=True)
class _Annotations:
    """What the file holds: annotations by name, and the names in each part of each benchmark."""

    by_name: Mapping[str, Mapping[str, Any]]
    parts: Mapping[str, Mapping[str, str]]
    unknown_parts: tuple[str, ...]
    not_annotated: int


def import_pyskl(
    file: Path, benchmark: str, output: Path, reporter: Reporter = SILENT
) -> StepReport:
    """Make a sequence store of an annotation pickle, for all benchmarks of its dataset.

    The sequences are centred as ours are; everything else is as prepared elsewhere.

    Args:
        file: The pickle.
        benchmark: Name of a recipe of the dataset that the file is of.
        output: The store to make.
        reporter: Told of the progress.

    Raises:
        InputError: If the file is no such file, is damaged, or holds anything else.
        QuarantineLimitError: If too large a share of the recordings is unusable.
    """
    recipe = load_recipe(benchmark)
    facts = find_dataset(recipe.dataset)
    if facts.skeleton != "ntu" or recipe.split.anchors:
        raise InputError(
            "there are no annotation files of this kind for the benchmark",
            field="benchmark",
            found=recipe.name,
            expected="a benchmark of NTU RGB+D, and not one-shot recognition",
        )
    metadata = StoreMetadata(
        kind=SequenceStore.kind,
        dataset=recipe.dataset,
        skeleton=facts.skeleton,
        dtype=facts.dtype,
        data_fingerprint=file_fingerprint(file),
        classes=facts.classes,
    )
    with (
        open_restricted(file, ANNOTATIONS) as content,
        PackedWriter(output, metadata, joints=len(skeleton(facts.skeleton).joints)) as writer,
    ):
        annotations = _annotations(content, recipe, file)
        with reporting(reporter, "importing", len(annotations.by_name), "sequences"):
            kept = _write(annotations, writer, recipe, facts, file, reporter)
        refuse_nothing(writer.sequences, writer.quarantined, file)
        parts: Parts = {
            name: [part_of.get(recording, "") for recording in kept]
            for name, part_of in annotations.parts.items()
        }
        for name, values in parts.items():
            writer.add_column(PART_PREFIX + name, values)
        writer.report = _report(writer, recipe, annotations, parts)
        return writer.report


def _annotations(content: Any, recipe: Recipe, file: Path) -> _Annotations:
    split = content.get("split") if isinstance(content, dict) else None
    entries = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(split, dict) or not isinstance(entries, list):
        raise InputError(
            "is not an annotation file",
            file=file,
            found=f"a pickled {type(content).__name__}",
            expected="a dict with split and annotations",
        )
    by_name: dict[str, Mapping[str, Any]] = {}
    for number, entry in enumerate(entries):
        name = entry.get("frame_dir") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name in by_name:
            raise InputError(
                "has no name of its own",
                file=file,
                field=f"annotations[{number}].frame_dir",
                found=name if isinstance(name, str) else type(name).__name__,
            )
        by_name[name] = entry
    parts, unknown = _parts(split, recipe, file)
    listed = {name for part_of in parts.values() for name in part_of}
    return _Annotations(by_name, parts, unknown, len(listed - set(by_name)))


def _parts(
    split: Mapping[Any, Any], recipe: Recipe, file: Path
) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Part of every name, by benchmark; and the parts that no benchmark of ours has."""
    parts: dict[str, dict[str, str]] = {}
    unknown = []
    for key, names in split.items():
        benchmark, _, part = str(key).rpartition("_")
        if benchmark not in _BENCHMARKS or part not in _PARTS:
            unknown.append(str(key)[:40])
            continue
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError("is not a list of names", file=file, field=f"split.{key}")
        part_of = parts.setdefault(f"{recipe.dataset}-{benchmark}", {})
        for name in names:
            if part_of.setdefault(name, _PARTS[part]) != _PARTS[part]:
                raise InputError("is in both parts", file=file, field=f"split.{key}", found=name)
    if not parts:
        raise InputError(
            "has no part of a benchmark",
            file=file,
            field="split",
            found=", ".join(unknown) or "nothing",
            expected="xsub_train, xsub_val and the like",
        )
    return dict(sorted(parts.items())), tuple(unknown)


def _write(
    annotations: _Annotations,
    writer: PackedWriter,
    recipe: Recipe,
    facts: Dataset,
    file: Path,
    reporter: Reporter,
) -> list[str]:
    """Add the sequences in the order of their names; the names of those that are usable."""
    limit = recipe.preparation.max_quarantined_share * len(annotations.by_name)
    kept = []
    for name, entry in sorted(annotations.by_name.items()):
        try:
            recording = _recording(name, entry, recipe)
            batch = RaggedBatch.of_one(name, _keypoints(entry, file))
            centred = facts.centre(batch, skeleton(facts.skeleton).center)
            writer.add_batch([recording], batch, centred)
            kept.append(name)
        except ValueError as error:
            writer.quarantined.append(Quarantined(name, file.name, str(error)))
            stop_above(limit, writer.quarantined, len(annotations.by_name), file)
        reporter.advance()
    return kept


def _recording(name: str, entry: Mapping[str, Any], recipe: Recipe) -> Recording:
    """The recording of an annotation; ValueError says what is wrong with it."""
    recording = ntu_names.recording(name)
    label = entry.get("label")
    if not isinstance(label, int | np.integer) or isinstance(label, bool):
        raise ValueError(f"the label is a {type(label).__name__}, expected a number")
    if label != recording.label:
        raise ValueError(f"the label is {label}, expected {recording.label} for this name")
    if not 0 <= label < recipe.classes:
        raise ValueError(f"the label is {label}, expected one of {recipe.classes} classes")
    return recording


def _keypoints(entry: Mapping[str, Any], file: Path) -> np.ndarray:
    """(M, T, V, C) float32; ValueError says what is wrong with them."""
    value = entry.get("keypoint")
    if not isinstance(value, np.ndarray | PickledArray):
        raise ValueError(f"keypoint is a {type(value).__name__}, expected an array")
    persons, frames, *rest = (*value.shape, 0, 0)[:2] + value.shape[2:]
    if value.dtype.kind != "f" or rest != [25, 3] or not 1 <= persons <= _MOST_BODIES or not frames:
        raise ValueError(
            f"keypoint is {value.dtype} {value.shape}, "
            f"expected float (1 to {_MOST_BODIES}, frames, 25, 3)"
        )
    total = entry.get("total_frames", frames)
    if total != frames:
        raise ValueError(f"total_frames is {total}, but keypoint has {frames} frames")
    keypoints = (value.read() if isinstance(value, PickledArray) else value).astype(np.float32)
    if not np.isfinite(keypoints).all():
        raise ValueError("a coordinate is not finite")
    if not present(keypoints)[0].any():
        raise ValueError(NOTHING_TRACKED)
    return keypoints


def _report(
    writer: PackedWriter, recipe: Recipe, annotations: _Annotations, parts: Parts
) -> StepReport:
    notes = [
        "The sequences are as prepared elsewhere (PYSKL chooses actors by other rules and keeps "
        "half precision): they are moved to the origin, and nothing was filtered here. Published "
        "accuracies of this project's benchmarks were not reached on them."
    ]
    if annotations.unknown_parts:
        notes.append(f"Parts passed over: {', '.join(annotations.unknown_parts)}.")
    return StepReport(
        step="Imported annotations",
        dataset=recipe.dataset,
        numbers={
            "sequences": writer.sequences,
            "recordings quarantined": len(writer.quarantined),
            "listed but not annotated": annotations.not_annotated,
            **count_parts(parts),
        },
        notes=tuple(notes),
        quarantined=tuple(writer.quarantined),
    )
