"""Who trains and who tests: the part columns of a sequence store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from frhead_core.config import Preparation, Split, Value
from frhead_core.data.store import PARTS, index_column
from frhead_core.errors import InputError

Parts = dict[str, list[str]]

_MOST_VALUES = 200  # of which each is said


def part_columns(
    index: pd.DataFrame, splits: Mapping[str, Split], preparation: Preparation
) -> tuple[Parts, tuple[str, ...]]:
    """The part of every row of an index, for every benchmark of a dataset, and notes on them.

    Raises:
        InputError: If a recording is in no part of a split, or an anchor is missing though the
            official list is asked for.
    """
    parts, notes = {}, []
    for name, split in splits.items():
        parts[name] = assign_parts(index, split)
        missing = sorted(set(split.anchors) - set(index["name"]))
        if missing and preparation.official_list:
            raise InputError(
                "anchors of the one-shot protocol are missing",
                field=name,
                found=f"no {', '.join(missing)}",
                expected=f"all {len(split.anchors)}",
                hint=f"Set preparation.official_list to false to prepare for all but {name}",
            )
        if missing:
            count = f"{len(missing)} of {len(split.anchors)}"
            notes.append(f"One-shot anchors missing: {count} ({', '.join(missing)}).")
    return parts, tuple(notes)


def assign_parts(index: pd.DataFrame, split: Split) -> list[str]:
    """``"train"``, ``"test"`` or ``"anchor"`` for every row; ``""`` outside the split's setups.

    Raises:
        InputError: If a recording's value is in neither list of the split.
    """
    part_of: dict[Value, str] = dict.fromkeys(split.train, "train")
    part_of |= dict.fromkeys(split.test, "test")
    parts = index_column(index, split.column).map(part_of)
    parts = parts.mask(index["name"].isin(split.anchors), "anchor")
    if split.setups is not None:
        parts = parts.where(index["setup"].between(*split.setups), "")
    strange = np.flatnonzero(parts.isna())
    if strange.size:
        row = index.iloc[strange[0]]
        raise InputError(
            "the recording is in no part of the split",
            field=str(row["name"]),
            found=f"{split.column} {row[split.column]}",
            expected=f"one of {_some(part_of)}",
            hint="Correct split.train and split.test of the recipe",
        )
    return [str(part) for part in parts]


def _some(values: Iterable[Value]) -> list[Value] | str:
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    if len(ordered) <= _MOST_VALUES:
        return ordered
    return f"the {len(ordered):,} in split.train and split.test"


def count_parts(parts: Parts) -> dict[str, int]:
    """How many rows are in each part of each benchmark."""
    return {
        f"{name} {part}": values.count(part)
        for name, values in parts.items()
        for part in PARTS
        if part != "anchor" or part in values
    }
