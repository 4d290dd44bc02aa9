"""The results of a run for programs, and for the scripts of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import numpy as np
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from frhead_core.config import MODALITIES, Modality
from frhead_core.evaluation.report_tables import AccuracyRow
from frhead_core.evaluation.skeleton_player import animation
from pipeline.console.dependencies import Folder
from pipeline.console.failures import NoSuchThingError
from pipeline.console.results import (
    ENSEMBLE,
    Epoch,
    Judged,
    RunResults,
    Subject,
    open_results,
    open_store,
)
from pipeline.console.results_tables import (
    Pair,
    SampleGroups,
    Verdict,
    class_groups,
    confused_pairs,
    pair_groups,
    verdicts,
)
from pipeline.console.routes.api import Failure

MOST_FRAMES = 1200
_MOST_PAIRS = 1000
_LARGEST_WEIGHT = 1000

router = APIRouter(
    prefix="/api/v1/runs/{name}/results",
    tags=["results"],
    responses={status: {"model": Failure} for status in (401, 403, 404)},
)


def _opened(folder: Folder) -> RunResults:
    return open_results(folder)


Opened = Annotated[RunResults, Depends(_opened)]


def _chosen(results: Opened, of: Subject | None = None, epoch: Epoch | None = None) -> Judged:
    return results.choose(of, epoch)


Chosen = Annotated[Judged, Depends(_chosen)]
Label = Annotated[int, Query(ge=0, le=2**31)]
Sample = Annotated[str, Query(max_length=1000)]
Weight = Annotated[float, Query(ge=-_LARGEST_WEIGHT, le=_LARGEST_WEIGHT)]


class Summary(BaseModel):
    """The accuracies of a run, and what else can be asked of it."""

    benchmark: str
    accuracies: Sequence[AccuracyRow]
    weights: Mapping[Modality, float]
    histories: Mapping[Modality, Sequence[Mapping[str, float]]]


class Confusion(BaseModel):
    """A confusion matrix: names of the classes, and [true class, predicted class, samples]."""

    of: Subject
    epoch: Epoch
    classes: Sequence[str]
    cells: Sequence[tuple[int, int, int]]


class Combined(BaseModel):
    """Accuracy of an ensemble: percent, and how many of the samples were right."""

    samples: int
    top1: float
    top1_right: int
    top5: float
    top5_right: int


class Said(BaseModel):
    """A sample: its class, and what each model and the ensemble said."""

    sample: str
    actual: int
    verdicts: Sequence[Verdict]


class Animation(BaseModel):
    """A skeleton sequence as whole numbers in a box of -500 to 500 around its middle.

    ``edges``: pairs of joints. ``kept``: the frames taken, from 0. ``total``: how many there are.
    ``frames``: for each frame taken and each body V * 3 numbers, or null where it is absent.
    """

    edges: Sequence[tuple[int, int]]
    kept: Sequence[int]
    total: int
    frames: Sequence[Sequence[Sequence[int] | None]]


@router.get("")
def show_summary(results: Opened) -> Summary:
    """Accuracies beside the published ones, ensemble weights, and training curves."""
    return Summary(
        benchmark=results.recipe.name,
        accuracies=results.rows,
        weights=results.weights,
        histories=results.histories,
    )


@router.get("/confusion")
def show_confusion(judged: Chosen) -> Confusion:
    """Which class was taken for which, cells without samples left out."""
    places = np.argwhere(judged.matrix)
    counts = judged.matrix[tuple(places.T)]
    return Confusion(
        of=judged.subject,
        epoch=judged.epoch,
        classes=judged.scores.class_names,
        cells=np.column_stack((places, counts)).tolist(),
    )


@router.get("/pairs")
def list_pairs(
    judged: Chosen, limit: Annotated[int, Query(ge=1, le=_MOST_PAIRS)] = 20
) -> list[Pair]:
    """The most confused pairs of classes, worst first."""
    return confused_pairs(judged, limit)


@router.get("/samples")
def list_samples(judged: Chosen, label: Label, other: Label | None = None) -> SampleGroups:
    """True positives, false negatives and false positives of a class, or of it and another."""
    checked_label(judged, label)
    if other is None:
        return class_groups(judged, label)
    checked_label(judged, other)
    return pair_groups(judged, label, other)


@router.get("/sample")
def show_sample(results: Opened, judged: Chosen, sample: Sample) -> Said:
    """What each modality and the ensemble said of a sample."""
    actual = int(judged.scores.labels[judged.row(sample)])
    everyone = results.of_epoch(judged.epoch)
    return Said(sample=sample, actual=actual, verdicts=verdicts(everyone, sample))


@router.get("/skeleton", response_model=Animation)
def show_skeleton(folder: Folder, results: Opened, sample: Sample) -> Response:
    """The coordinates of a test sample, for a player."""
    results.choose(None, None).row(sample)
    store = open_store(folder)
    rows = np.flatnonzero(store.index["name"].to_numpy() == sample)
    if not rows.size:
        raise NoSuchThingError(f"The sequences of this run hold no {sample}.")
    sequence = store.read_sequence(int(rows[0]))
    return JSONResponse(animation(sequence, store.layout, MOST_FRAMES))


@router.get("/ensemble")
def combine_again(
    results: Opened,
    epoch: Epoch = "last",
    joint: Weight = 0,
    bone: Weight = 0,
    joint_motion: Weight = 0,
    bone_motion: Weight = 0,
) -> Combined:
    """Accuracy of an ensemble with other weights."""
    weights = dict(zip(MODALITIES, (joint, bone, joint_motion, bone_motion), strict=True))
    return Combined.model_validate(results.reweighted(epoch, weights))


@router.get(
    "/logits",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def send_logits(results: Opened, epoch: Epoch = "last") -> Response:
    """Labels (n int32), then the logits of each modality of the ensemble (m, n, K float32).

    Everything is little-endian; the modalities come in the order of the weights in the summary.
    """
    labels = results.choose(ENSEMBLE, epoch).scores.labels.astype("<i4").tobytes()
    everyone = results.of_epoch(epoch)
    parts = [everyone[cast(Subject, name)].scores.logits.astype("<f4") for name in results.weights]
    content = b"".join([labels, *(part.tobytes() for part in parts)])
    return Response(content, media_type="application/octet-stream")


def checked_label(judged: Judged, label: int) -> int:
    """A class that there is.

    Raises:
        NoSuchThingError: If there is none of that number.
    """
    if label >= judged.scores.logits.shape[1]:
        raise NoSuchThingError(f"There is no class {label}.")
    return label
