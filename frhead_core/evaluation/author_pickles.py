"""Score files as the authors published them: a pickled dict from sample to float32 logits (K,).

NW-UCLA's keys are positions in the published test list; NTU's are ``test_0``, ``test_1``, ...,
positions in the test part of their prepared file. Neither holds labels or the recordings' names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frhead_core.config import Recipe
from frhead_core.data import nw_ucla
from frhead_core.data.reference_layout import reference_layout
from frhead_core.data.store import SequenceStore
from frhead_core.errors import InputError
from frhead_core.restricted_pickle import read_restricted

_NTU_KEY = re.compile(r"test_(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class SampleList:
    """The test samples in the order of the authors' test list.

    Attributes:
        names: Of the samples.
        labels: 0-based class of each.
        classes: Names by class; empty if unknown.
    """

    names: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuthorScores:
    """What a published score file says: (n, K) float32 logits, in the order of ``samples``."""

    samples: SampleList
    logits: np.ndarray


def samples_of(store: SequenceStore, benchmark: str) -> SampleList:
    """The test samples of a store of NTU RGB+D, in the order of the authors' prepared file.

    Raises:
        InputError: If the reference prepares no such file for the benchmark.
    """
    index = store.index.iloc[reference_layout(benchmark).rows(store, "test")]
    return SampleList(tuple(index["name"]), tuple(index["label"]), store.metadata.classes)


def read_author_scores(
    content: bytes, path: Path, recipe: Recipe, samples: SampleList | None = None
) -> AuthorScores:
    """Read a published score file without running anything in it.

    Args:
        content: The pickle.
        path: Where it came from, for the messages.
        recipe: The benchmark; its dataset says what the keys mean.
        samples: The test samples; needed for all datasets but NW-UCLA, whose list is known.

    Raises:
        InputError: If the pickle holds anything but named logits, samples are missing or unknown,
            or the list of samples is needed and not given.
    """
    scores = _named_logits(read_restricted(content, path), path, recipe)
    if recipe.dataset == "nw-ucla":
        samples, position = samples or _nw_ucla_samples(), _nw_ucla_position
    elif samples is None:
        raise InputError(
            "the authors' score files for this benchmark hold neither labels nor names",
            file=path,
            field="samples",
            expected="the names and labels of the test samples, in the authors' order",
            hint="With `frhead ensemble`, give the sequence store as --data",
        )
    else:
        position = _ntu_position
    return AuthorScores(samples, _in_order(scores, position, len(samples.names), path))


def _nw_ucla_samples() -> SampleList:
    names = nw_ucla.test_names()
    labels = tuple(nw_ucla.recording(name).label for name in names)
    return SampleList(names, labels, nw_ucla.CLASSES)


def _nw_ucla_position(key: Any) -> int | None:
    return int(key) if isinstance(key, int | np.integer) and not isinstance(key, bool) else None


def _ntu_position(key: Any) -> int | None:
    match = _NTU_KEY.fullmatch(key) if isinstance(key, str) else None
    return int(match[1]) if match else None


def _named_logits(value: Any, path: Path, recipe: Recipe) -> Mapping[Any, np.ndarray]:
    """The dict, without the outputs beyond the benchmark's classes that training may have had."""
    shapes = [(width,) for width in sorted({recipe.classes, recipe.outputs})]
    if not isinstance(value, dict) or not value:
        raise InputError(
            "is not a score file",
            file=path,
            found=f"a pickled {type(value).__name__}",
            expected="a dict from sample to logits",
        )
    for key, logits in value.items():
        if not isinstance(logits, np.ndarray):
            found = type(logits).__name__
        elif logits.dtype.kind != "f" or logits.shape not in shapes:
            found = f"{logits.dtype} {logits.shape}"
        else:
            continue
        raise InputError(
            "wrong scores for a sample",
            file=path,
            field=str(key)[:80],
            found=found,
            expected=" or ".join(f"float32 {shape}" for shape in shapes),
        )
    return {key: logits[: recipe.classes] for key, logits in value.items()}


def _in_order(
    scores: Mapping[Any, np.ndarray],
    position: Callable[[Any], int | None],
    count: int,
    path: Path,
) -> np.ndarray:
    """The logits stacked by position, (count, K) float32."""
    rows: dict[int, np.ndarray] = {}
    for key, logits in scores.items():
        place = position(key)
        if place is None or not 0 <= place < count or place in rows:
            raise InputError(
                "unknown sample",
                file=path,
                field=str(key)[:80],
                expected=f"each of the {count} positions of the test list once",
            )
        rows[place] = logits
    missing = [place for place in range(count) if place not in rows]
    if missing:
        raise InputError(
            "samples of the test list are missing",
            file=path,
            field=str(missing[0]),
            found=f"{len(rows)} samples",
            expected=f"{count} samples",
        )
    return np.stack([rows[place] for place in range(count)]).astype(np.float32)
