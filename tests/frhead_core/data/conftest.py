"""Raw NW-UCLA files to spoil, and packed directories to open."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frhead_core.data import nw_ucla
from frhead_core.data.packed import StoreMetadata
from frhead_core.data.packed_writer import PackedWriter
from frhead_core.data.recordings import Recording

WriteFile = Callable[..., Path]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "all_sqe"
    folder.mkdir()
    return folder


@pytest.fixture
def write_recording(raw: Path) -> WriteFile:
    """Writes a good recording of a few frames; keywords replace fields of the JSON."""

    def write(name: str, frames: int = 3, **fields: Any) -> Path:
        coordinates = np.random.default_rng(len(name) + frames).normal(size=(frames, 20, 3))
        try:
            label = nw_ucla.recording(name).label + 1
        except ValueError:
            label = 1
        content = {"file_name": name, "skeletons": coordinates.tolist(), "label": label}
        path = raw / f"{name}.json"
        path.write_text(json.dumps(content | fields))
        return path

    return write


def metadata(kind: str = "sequence store", dtype: str = "float64") -> StoreMetadata:
    return StoreMetadata(kind, "nw-ucla", "nw-ucla", dtype, "mark", ("a", "b"))


@pytest.fixture
def write_store(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sequence store of random NW-UCLA-like sequences of given lengths."""

    def write(lengths: list[int], output: Path | None = None) -> Path:
        output = output or tmp_path / "store"
        generator = np.random.default_rng(5)
        with PackedWriter(output, metadata(), joints=20) as writer:
            for number, length in enumerate(lengths):
                who = Recording(f"r{number:04}", 0, 1 + number % 3, 1, number, 1, number % 2)
                writer.add(who, generator.normal(size=(1, length, 20, 3)))
            parts = ["test" if number % 3 == 2 else "train" for number in range(len(lengths))]
            writer.add_column("part:b", parts)
        return output

    return write
