"""Where the arithmetic runs, and with how many threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import torch

from frhead_core.data.loader import Batch
from frhead_core.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device called ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

    Raises:
        InputError: If the name is another one, or there is no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError("unknown device", field="device", found=name, expected="auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("no GPU that torch can use", field="device", found=name)
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def copied_ahead(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches on the device; each one is under way there while the one before is worked on."""
    ahead: Batch | None = None
    for batch in batches:
        if ahead is not None:
            yield ahead
        ahead = batch.on(device)
    if ahead is not None:
        yield ahead


def use_threads(count: int, processes: int = 1) -> int:
    """Let torch use ``count`` CPU threads, or for 0 this process's part of those it may use.

    Args:
        count: Threads of each process.
        processes: How many share the cores.

    Returns:
        The number in force.
    """
    torch.set_num_threads(count or max(1, len(os.sched_getaffinity(0)) // processes))
    return torch.get_num_threads()
