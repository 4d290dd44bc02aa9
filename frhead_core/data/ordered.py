"""Doing many small things in several threads, with the results in order and memory bounded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # items a thread may be ahead of the one whose result is awaited


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = 0
) -> Iterator[Result]:
    """``function`` of every item, in order, computed by as many threads as there are cores.

    A thread only helps where ``function`` gives up Python's lock. Few items are under way at a
    time, so the results that wait are few, too.
    """
    threads = threads or available_cores()
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def available_cores() -> int:
    """Cores that this process may use, which in a container can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
