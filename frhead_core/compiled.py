"""Functions compiled to machine code on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

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


def _load_word(typing_context: Any, data: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        proxy: Any = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
        byte = builder.gep(proxy(context, builder, arguments[0]).data, [arguments[1]])
        word = builder.bitcast(byte, ir.IntType(64).as_pointer())
        return builder.load(word, align=1)

    return types.uint64(data, types.intp), generate


load_word: Any = intrinsic(_load_word)
"""In compiled functions, ``load_word(data, place)``: eight bytes of an array as one uint64.

NumPy can look at memory as words only where they begin at multiples of their size.
"""
