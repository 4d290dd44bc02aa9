"""Doing many small things in several threads, with the results in order and memory bounded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # items a thread may be ahead of the one whose result is awaited


def ordered_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int = 0,
    together: int = 1,
) -> Iterator[Result]:
    """``function`` of every item, in order, computed by as many threads as there are cores.

    A thread only helps where ``function`` gives up Python's lock. Few items are under way at a
    time, so the results that wait are few, too.

    Args:
        function: What to compute.
        items: Of what; gone through no further than is needed.
        threads: How many; 0 means as many as there are cores.
        together: How many items a thread is handed at once; more than one where each is so quick
            that handing it over would take as long.
    """
    threads = threads or available_cores()
    waiting: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for handful in _handfuls(items, together):
                waiting.append(pool.submit(_each, function, handful))
                if len(waiting) > threads * _AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _each(function: Callable[[Item], Result], items: tuple[Item, ...]) -> list[Result]:
    return [function(item) for item in items]


def _handfuls(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    rest = iter(items)
    while handful := tuple(islice(rest, size)):
        yield handful


def available_cores() -> int:
    """Cores that this process may use, which in a container can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
