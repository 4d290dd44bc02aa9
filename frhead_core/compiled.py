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


@intrinsic
def load_word(typing_context: Any, data: Any, place: Any) -> Any:
    """In compiled functions: the eight bytes at a place of an array of bytes, as one uint64.

    NumPy can look at memory as words only where they begin at multiples of their size.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
        byte = builder.gep(array.data, [arguments[1]])
        word = builder.bitcast(byte, ir.IntType(64).as_pointer())
        return builder.load(word, align=1)

    return types.uint64(data, types.intp), generate
