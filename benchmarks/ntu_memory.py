"""Peak memory of the NTU RGB+D preparation as the number of files grows.

``python -m benchmarks.ntu_memory [FILES ...]`` prints one table, for 1,000, 5,000 and 20,000 files
if not told. Each step runs in a fresh process, whose largest resident set is what counts. The
texts of the first 1,000 files stand under further names too (hard links), so that 20,000 files
take no more disk than 1,000.

What may grow is the index. Its share is measured as what a fresh process gains by opening what the
step reads (of raw files, by listing their names) and building the rows of the index that it writes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, product
from pathlib import Path, PurePosixPath

from benchmarks.bench_ntu_preparation import FOUND, SPLITS, SUFFIX, extract, write_files
from benchmarks.measure import peak_memory, peak_resident
from frhead_core.data.datasets import denoise_skeletons, transform_sequences
from frhead_core.data.ntu_names import recording
from frhead_core.data.packed import DenoisedSequences, PackedSequences
from frhead_core.data.packed_writer import identity
from frhead_core.data.raw_files import open_raw_files
from frhead_core.data.recordings import Recording
from frhead_core.data.tracked_bodies import TrackedBodies

FILES = (1000, 5000, 20000)
DIFFERENT = 1000
_PREFIXES = [f"S{s:03}C{c:03}" for s, c in product(range(1, 18), range(1, 4))]


def table(counts: Sequence[int]) -> Iterator[str]:
    yield "| step | " + " | ".join(f"{count:,} files, MiB (index)" for count in counts) + " |"
    yield "| --- |" + " ---: |" * len(counts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = write_files(folder / "texts", min(DIFFERENT, max(counts)))
        cells = [dict(peaks(folder / str(count), texts, count)) for count in counts]
    for step in cells[0]:
        yield f"| {step} | " + " | ".join(cell[step] for cell in cells) + " |"


def peaks(folder: Path, texts: Path, count: int) -> Iterator[tuple[str, str]]:
    """The three steps one after the other, with the peak of each and its index."""
    linked(texts, folder / "files", count)
    source = folder / "files"
    for step, (run, index_of) in STEPS.items():
        target = folder / step
        peak = peak_resident(run, source, target)
        index = peak_memory(index_of, source)
        yield step, f"{peak:.0f} ({index:.0f})"
        source = target


def linked(texts: Path, directory: Path, count: int) -> None:
    """The same texts under ``count`` names."""
    directory.mkdir(parents=True)
    files = sorted(texts.rglob(f"*{SUFFIX}"))
    for prefix, path in islice(product(_PREFIXES, files), count):
        os.link(path, directory / (prefix + path.name[len(prefix) :]))


def denoise(source: Path, target: Path) -> None:
    denoise_skeletons("ntu60", source, target, FOUND)


def transform(source: Path, target: Path) -> None:
    transform_sequences("ntu60", source, target, SPLITS, FOUND)


def listed(directory: Path) -> Callable[[], object]:
    """What extraction holds of an index: the names of the files, and the rows that it writes."""

    def call() -> object:
        with open_raw_files(directory, SUFFIX) as files:
            names = [(PurePosixPath(name).stem, name) for name in files.names]
            return files, names, index_rows(recording(stem) for stem, _ in names)

    return call


def opened(kind: type[PackedSequences], directory: Path) -> Callable[[], object]:
    """What another step holds of an index: the one it reads, and the rows of the one it writes."""

    def call() -> object:
        packed = kind.open(directory)
        return packed, index_rows(map(packed.recording, range(len(packed))))

    return call


def index_rows(recordings: Iterable[Recording]) -> list[tuple[object, ...]]:
    return [(*identity(one), row, 1, row) for row, one in enumerate(recordings)]


STEPS = {
    "extraction": (extract, listed),
    "denoising": (denoise, partial(opened, TrackedBodies)),
    "transformation": (transform, partial(opened, DenoisedSequences)),
}


if __name__ == "__main__":
    for line in table([int(count) for count in sys.argv[1:]] or FILES):
        print(line, flush=True)
