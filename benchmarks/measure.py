"""How two ways of doing the same are compared: in turns, with the same threads, in one process."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

Result = TypeVar("Result")

ROUNDS = 5
MIBIBYTE_IN_KIBIBYTES = 1024


@dataclass(frozen=True)
class Comparison:
    """One row of the table: the same quantity, measured of the plain way and of the project's."""

    what: str
    unit: str
    plain: float
    ours: float
    better: Literal["more", "less"] = "more"

    @property
    def gain(self) -> float:
        """How many times better ours is; below 1 it is worse."""
        return self.ours / self.plain if self.better == "more" else self.plain / self.ours


def table(comparisons: Iterable[Comparison]) -> str:
    """The comparisons as a Markdown table."""
    lines = ["| what | unit | plain | ours | gain |", "| --- | --- | ---: | ---: | ---: |"]
    for row in comparisons:
        lines.append(
            f"| {row.what} | {row.unit} | {row.plain:.1f} | {row.ours:.1f} | {row.gain:.2f}x |"
        )
    return "\n".join(lines)


def compare_rates(
    what: str, unit: str, amount: int, plain: Callable[[], object], ours: Callable[[], object]
) -> Comparison:
    """Units a second of both, ``amount`` of which one call handles: the best of several rounds.

    The two take turns, so that a machine that slows down in between slows both.
    """
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(ROUNDS + 1):
        for name, call in (("plain", plain), ("ours", ours)):
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    best = {name: min(times[1:]) for name, times in seconds.items()}  # the first one warms up
    return Comparison(what, unit, amount / best["plain"], amount / best["ours"])


def peak_memory(prepare: Callable[..., Callable[[], object]], *arguments: object) -> float:
    """Memory in MiB that a call adds at its peak, in a fresh process.

    Args:
        prepare: A module-level function; what it returns is what is measured.
        arguments: Its arguments.
    """
    return in_fresh_process(_added_memory, prepare, *arguments)


def peak_resident(call: Callable[..., object], *arguments: object) -> float:
    """Largest resident set in MiB, all included, of a fresh process that makes a call."""
    return in_fresh_process(_peak_resident, call, *arguments)


def in_fresh_process(measured: Callable[..., Result], *arguments: object) -> Result:
    """What a module-level function returns in a process that has done nothing else yet.

    The memory that earlier work leaves behind decides how much the next work pays for its own.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measured, *arguments).result()


def _peak_resident(call: Callable[..., object], *arguments: object) -> float:
    call(*arguments)
    return _status("VmHWM") / MIBIBYTE_IN_KIBIBYTES


def _added_memory(prepare: Callable[..., Callable[[], object]], *arguments: object) -> float:
    call = prepare(*arguments)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again here
    before = _status("VmRSS")
    call()
    return (_status("VmHWM") - before) / MIBIBYTE_IN_KIBIBYTES


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"this system does not report {field}")
