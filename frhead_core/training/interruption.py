"""Stopping at the end of a batch when asked to, so that nothing computed is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether an interrupt (Ctrl-C) or SIGTERM has asked this process to stop.

    Args:
        patient: Do not stop at once at a second request. One of several processes gets each request
            twice, from the terminal and from the launcher, which ends it in the end.
    """

    def __init__(self, patient: bool = False) -> None:
        self.signal: int | None = None
        self._patient = patient

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Note the request; a second one stops at once."""
        if self.signal is not None and not self._patient:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def stop_requests(patient: bool = False) -> Iterator[StopRequest]:
    """Collect requests to stop instead of being stopped in the middle of a batch.

    Outside the main thread, where Python receives no signals, there are never any.

    Args:
        patient: As for :class:`StopRequest`.
    """
    request = StopRequest(patient)
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, request.receive) for number in numbers]
    try:
        yield request
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
