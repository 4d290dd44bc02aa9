"""Preparation of NTU RGB+D, from text files to centred sequences, against a plain reader.

``python -m benchmarks.bench_ntu_preparation [FILES]`` runs it alone, with 2,000 files if not told.
Besides the plain way, the rates are compared with the limit: reading the same bytes (and for an
archive, inflating and checking them) by the same reader with as many threads, and nothing else.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks import plain_ntu
from benchmarks.measure import Comparison, table
from frhead_core.config import Preparation, Split
from frhead_core.data.datasets import (
    denoise_skeletons,
    extract_raw_skeletons,
    transform_sequences,
)
from frhead_core.data.ordered import ordered_map
from frhead_core.data.raw_files import open_raw_files
from frhead_core.data.store import SequenceStore
from frhead_core.data.synthetic_ntu import write_ntu

Result = TypeVar("Result")

FILES = 2000
ROUNDS = 3
FRAMES = (60, 150)
SUFFIX = ".skeleton"
FOUND = Preparation(official_list=False)
SPLITS = {
    "ntu60-xsub": Split(column="performer", train=tuple(range(1, 21)), test=tuple(range(21, 107)))
}


def measure(files: int = FILES) -> Iterator[Comparison]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        directory = write_files(folder / "files", files)
        archive = packed(directory, folder / "files.zip")
        for raw in (archive, directory):
            yield from compared(raw, folder / "out", raw.suffix or "directory")


def write_files(directory: Path, number: int) -> Path:
    """Synthetic recordings of realistic length, and no more of them than asked for."""
    performers, actions = range(1, -(-number // 60) + 1), range(1, 61)
    write_ntu(
        directory,
        setups=(1,),
        cameras=(1,),
        performers=performers,
        actions=actions,
        frames=FRAMES,
    )
    for path in sorted(directory.rglob(f"*{SUFFIX}"))[number:]:
        path.unlink()
    return directory


def packed(directory: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(directory.rglob(f"*{SUFFIX}")):
            file.write(path, path.name)
    return archive


def compared(raw: Path, output: Path, kind: str) -> Iterator[Comparison]:
    """The plain way once, ours and the limit several times, their best; after a warm-up."""
    store = prepare(raw, output / "first")  # compiles what is not compiled yet
    with open_raw_files(raw, SUFFIX) as files:
        texts = (files.read(name).decode() for name in files.names)
        plain, seconds_plain = timed(lambda: list(plain_ntu.prepare(texts)))
    assert_equal(plain, store)
    number = len(plain)
    ours, extraction, limit = (
        min(seconds(call, raw, output / "again") for _ in range(ROUNDS))
        for call in (prepare, extract, read_only)
    )
    what = f"NTU preparation, {kind}"
    yield Comparison(what, "files/s", number / seconds_plain, number / ours)
    yield Comparison(f"{what}, to its limit", "files/s", number / limit, number / ours)
    yield Comparison(
        f"{what}, extraction to its limit", "files/s", number / limit, number / extraction
    )


def prepare(raw: Path, output: Path) -> SequenceStore:
    """All three steps."""
    bodies, denoised, store = (output / name for name in ("raw", "denoised", "store"))
    extract(raw, bodies)
    denoise_skeletons("ntu60", bodies, denoised, FOUND)
    transform_sequences("ntu60", denoised, store, SPLITS, FOUND)
    return SequenceStore.open(store)


def extract(raw: Path, output: Path) -> None:
    extract_raw_skeletons("ntu60", raw, output, FOUND, "mark")


def read_only(raw: Path, _: Path) -> int:
    with open_raw_files(raw, SUFFIX) as files:
        return sum(len(content) for content in ordered_map(files.read, files.names))


def seconds(call: Callable[[Path, Path], object], raw: Path, output: Path) -> float:
    """How long a call takes. Its output is removed, so that none is written back in the next."""
    _, took = timed(partial(call, raw, output))
    shutil.rmtree(output, ignore_errors=True)
    return took


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def assert_equal(plain: list[np.ndarray], store: SequenceStore) -> None:
    """Both ways must give the same, bit for bit."""
    if len(plain) != len(store):
        raise AssertionError(f"{len(plain)} sequences, ours are {len(store)}")
    for row, expected in enumerate(plain):
        found = store.sequence(row).transpose(1, 0, 2, 3).reshape(len(expected), -1)
        if not np.array_equal(found, expected):
            raise AssertionError(f"the sequences of {store.recording(row).name} differ")


if __name__ == "__main__":
    print(table(measure(int(sys.argv[1]) if len(sys.argv) > 1 else FILES)))
