"""Where the golden numbers are: beside this file, or where FRHEAD_GOLDEN says.

A folder may hold any part of them, so tests run over what :func:`each` was given of it, and
``test_unsupported_golden.py`` names the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

OWN = Path(__file__).parent
GOLDEN = Path(os.environ.get("FRHEAD_GOLDEN") or OWN)
MODELS, FEEDERS, ENSEMBLE = (GOLDEN / part for part in ("models", "feeders", "ensemble"))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file, an empty one if there is no such file."""
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def each(values: Iterable[Any], kind: str) -> list[Any]:
    """Values for a test to run over; if there are none, one that skips it and says so."""
    nothing = pytest.mark.skip(reason=f"{GOLDEN} holds no {kind}")
    return sorted(values) or [pytest.param(None, id="none", marks=nothing)]
