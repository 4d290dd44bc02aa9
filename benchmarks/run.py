"""Runs all benchmarks and prints one table: ``python -m benchmarks.run [name ...]``.

A benchmark is a module ``bench_*.py`` beside this one with a function ``measure`` that yields
:class:`benchmarks.measure.Comparison`. All of them run with the same number of threads.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.measure import Comparison, table


def benchmark_names() -> tuple[str, ...]:
    """Names of the modules, without their prefix, sorted."""
    modules = Path(__file__).parent.glob("bench_*.py")
    return tuple(sorted(path.stem.removeprefix("bench_") for path in modules))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare with plain implementations.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(benchmark_names()))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(benchmark_names()))
    if unknown:
        parser.error(f"no benchmark {unknown}; there are {', '.join(benchmark_names())}")
    torch.set_num_threads(options.threads)
    rows: list[Comparison] = []
    for name in options.names or benchmark_names():
        print(f"measuring: {name}", flush=True)
        rows.extend(importlib.import_module(f"benchmarks.bench_{name}").measure())
    print(f"\ntorch {torch.__version__}, {options.threads} threads, {platform.machine()}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
