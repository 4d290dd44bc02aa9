"""Denoising against the reference's second stage, from the numbers of its first.

Independent of the parser: the tracked bodies are made from ``stage1.json`` and its arrays.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from frhead_core.data import ntu_denoise
from frhead_core.data.ntu_denoise import Denoised, Filtered, denoise
from frhead_core.data.recordings import Recording
from frhead_core.data.tracked_bodies import TrackedBody, TrackedRecording
from tests.golden.files import GOLDEN

FOLDER = GOLDEN / "ntu_raw"
DATASETS = ("ntu60", "ntu120")

pytestmark = pytest.mark.golden


@cache
def facts(dataset: str, stage: str) -> dict[str, Any]:
    return json.loads((FOLDER / dataset / f"{stage}.json").read_text())


@cache
def arrays(dataset: str, stage: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / dataset / f"{stage}_joints.npz") as file:
        return dict(file)


@cache
def denoised(dataset: str, name: str) -> Denoised:
    known = facts(dataset, "stage1")[name]
    joints = [arrays(dataset, "stage1")[f"{name}.{k}"] for k in range(len(known["bodies"]))]
    bodies = []
    for body, coordinates in zip(known["bodies"], joints, strict=True):
        first, last = body["interval"]
        numbers = np.arange(first, last + 1, dtype=np.int32)
        bodies.append(TrackedBody(body["id"], coordinates, first, numbers, body["motion"]))
    return denoise(TrackedRecording(recording(name), known["num_frames"], tuple(bodies)))


def recording(name: str) -> Recording:
    numbers = [int(name[place : place + 3]) for place in range(1, 20, 4)]
    return Recording(name, *numbers, label=numbers[-1] - 1)


def cases() -> list[tuple[str, str]]:
    found = [dataset for dataset in DATASETS if (FOLDER / dataset).is_dir()]
    return [(dataset, name) for dataset in found for name in facts(dataset, "stage2")]


def rows(found: Denoised, *rules: str) -> list[Filtered]:
    return [row for row in found.filtered if row.rule in rules]


def six(value: float | None) -> float:
    return float(f"{value:.6f}")


def as_reference(name: str, frames: int, found: Denoised) -> dict[str, Any]:
    """What the product says of a recording, in the words of ``stage2.json``."""
    several = bool(rows(found, ntu_denoise.ACTORS[0]))
    main = rows(found, ntu_denoise.MAIN_ACTOR)
    assert found.sequence is not None
    persons, kept = found.sequence.shape[:2]
    number = int(name[-2:])  # the reference's mistake: two of three digits
    empty = rows(found, ntu_denoise.EMPTY_FRAMES)
    absent = [rows(found, rule) for rule in ntu_denoise.ABSENT]
    counts = [int(row[0].value or 0) if row else 0 for row in absent]
    actors = [
        [
            {"id": row.body, "interval": [row.first, row.last], "motion": six(row.motion)}
            for row in rows(found, rule)
        ]
        for rule in ntu_denoise.ACTORS
    ]
    log: dict[str, Any] = {"num_frames": frames, "actor1": counts[0], "actor2": counts[1]}
    if counts[0] > counts[1]:
        log["start"] = int(absent[0][0].first == 0)
        log["end"] = int(absent[0][0].last == frames - 1)
    return {
        "frames": kept,
        "width": 75 * persons,
        "removed_by_length": [
            {"id": row.body, "motion": six(row.motion), "length": row.value}
            for row in rows(found, ntu_denoise.TOO_SHORT)
        ],
        "removed_by_spread": [
            {"id": row.body, "motion": six(row.motion), "rate": six(row.value)}
            for row in rows(found, ntu_denoise.TOO_WIDE)
        ],
        "motion_lowered": [
            {"id": row.body, "from": six(row.motion), "to": six(row.value)}
            for row in rows(found, ntu_denoise.WIDE_FRAMES)
        ],
        "main_actor": main[0].body if main else None,
        "actor1": actors[0],
        "actor2": actors[1],
        "denoised_failed_1": several and number < 50,
        "denoised_failed_2": bool(main) and number >= 50,
        "missing_skes": ({"num_frames": frames, "num_missing": empty[0].value} if empty else None),
        "missing_skes_1": log if several and counts[0] > counts[1] else None,
        "missing_skes_2": log if several and max(counts) > 0 and counts[0] <= counts[1] else None,
    }


@pytest.mark.parametrize(("dataset", "name"), cases())
def test_what_the_rules_did(dataset: str, name: str) -> None:
    frames = facts(dataset, "stage1")[name]["num_frames"]
    assert as_reference(name, frames, denoised(dataset, name)) == facts(dataset, "stage2")[name]


@pytest.mark.parametrize(("dataset", "name"), cases())
def test_the_sequences_are_equal_bit_by_bit(dataset: str, name: str) -> None:
    sequence = denoised(dataset, name).sequence
    assert sequence is not None and sequence.dtype == np.float32
    flat = sequence.transpose(1, 0, 2, 3).reshape(sequence.shape[1], -1)
    expected = arrays(dataset, "stage2")[name]
    assert flat.shape == expected.shape
    assert flat.tobytes() == expected.tobytes()
