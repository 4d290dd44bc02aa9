"""The parts of a recipe that single steps depend on, as the JSON that they travel in.

Each step receives only what its result depends on, so that a change of anything else does not
repeat it. Texts are canonical (sorted keys, no spaces): equal settings give equal cache keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from frhead_core.config import Preparation, Promotion, Split
from frhead_core.skeleton_layout import SkeletonLayout, layout_from_mapping

_PREPARATION = TypeAdapter(Preparation)
_PROMOTION = TypeAdapter(Promotion)
_SPLITS = TypeAdapter(dict[str, Split])
_LAYOUT = TypeAdapter(SkeletonLayout)


def preparation_to_json(preparation: Preparation) -> str:
    """The settings of the data steps as canonical JSON."""
    return _canonical(_PREPARATION.dump_python(preparation, mode="json"))


def preparation_from_json(text: str) -> Preparation:
    """What :func:`preparation_to_json` wrote."""
    return _PREPARATION.validate_json(text)


def promotion_to_json(promotion: Promotion) -> str:
    """The gate of the promotion as canonical JSON."""
    return _canonical(_PROMOTION.dump_python(promotion, mode="json"))


def promotion_from_json(text: str) -> Promotion:
    """What :func:`promotion_to_json` wrote."""
    return _PROMOTION.validate_json(text)


def splits_to_json(splits: Mapping[str, Split]) -> str:
    """The splits of several benchmarks, by their names, as canonical JSON."""
    return _canonical(_SPLITS.dump_python(dict(splits), mode="json"))


def splits_from_json(text: str) -> dict[str, Split]:
    """What :func:`splits_to_json` wrote."""
    return _SPLITS.validate_json(text)


def skeleton_to_json(skeleton: str | SkeletonLayout) -> str:
    """The name of a joint layout, or the layout itself as canonical JSON."""
    if isinstance(skeleton, str):
        return skeleton
    return _canonical(_LAYOUT.dump_python(skeleton, mode="json"))


def skeleton_from_json(text: str) -> str | SkeletonLayout:
    """What :func:`skeleton_to_json` wrote."""
    return layout_from_mapping(json.loads(text)) if text.startswith("{") else text


def _canonical(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
