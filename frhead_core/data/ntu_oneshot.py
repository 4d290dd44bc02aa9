"""The one-shot protocol of NTU RGB+D 120: 20 classes known by one recording each.

Liu et al., TPAMI 2020, section 4.4: the model learns from the auxiliary set, all recordings of
the other 100 classes; recordings of the novel classes are recognised by the nearest anchor.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

BENCHMARK = "ntu120-oneshot"
NOVEL_ACTIONS = tuple(range(1, 116, 6))
AUXILIARY, ANCHOR, EVALUATION = "train", "anchor", "test"
ANCHOR_NAMES = tuple(
    f"S{1 if action <= 55 else 18:03d}C003P008R001A{action:03d}" for action in NOVEL_ACTIONS
)


def one_shot_parts(index: pd.DataFrame) -> list[str]:
    """``train`` (auxiliary), ``anchor`` or ``test`` (evaluation) for every row of an index."""
    novel = index["action"].isin(NOVEL_ACTIONS).to_numpy()
    anchor = index["name"].isin(ANCHOR_NAMES).to_numpy()
    parts = np.where(novel, EVALUATION, AUXILIARY)
    return [str(part) for part in np.where(anchor, ANCHOR, parts)]


def missing_anchors(index: pd.DataFrame) -> list[str]:
    """Names of the anchors that an index does not have."""
    return sorted(set(ANCHOR_NAMES) - set(index["name"]))
