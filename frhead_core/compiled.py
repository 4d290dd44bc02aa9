"""Functions compiled to machine code on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays; it runs without Python's lock.

    The machine code is kept beside the source or in the user's cache (``NUMBA_CACHE_DIR``), so
    that only the first process compiles. Where neither can be written every process does.
    """
    try:
        return cast(Function, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no place for the cache
        return cast(Function, numba.njit(nogil=True)(function))
