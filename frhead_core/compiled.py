"""Functions compiled to machine code on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., object])

BLOCK = 64  # bytes; as many bits make one number
_BYTE, _WORD = ir.IntType(8), ir.IntType(64)


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays; it runs without Python's lock.

    The machine code is kept beside the source or in the user's cache (``NUMBA_CACHE_DIR``), so
    that only the first process compiles. Where neither can be written every process does.
    """
    return _compiled(function, everywhere=False)


def inlined(function: Function) -> Function:
    """As :func:`compiled`, and put in the place of each call from other compiled functions.

    For small functions in inner loops: a call hands on seven numbers for every array.
    """
    return _compiled(function, everywhere=True)


def _compiled(function: Function, everywhere: bool) -> Function:
    try:
        decorate = numba.njit(nogil=True, forceinline=everywhere, cache=True)
        return cast(Function, decorate(function))
    except RuntimeError:  # no place for the cache
        return cast(Function, numba.njit(nogil=True, forceinline=everywhere)(function))


def _loaded(kind: Any, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """A value of some kind from any byte of an array: the first two of a call's arguments."""
    proxy: Any = cgutils.create_struct_proxy(signature.args[0])  # type: ignore[no-untyped-call]
    byte = builder.gep(proxy(context, builder, arguments[0]).data, [arguments[1]])
    return builder.load(builder.bitcast(byte, kind.as_pointer()), align=1)


def _load_word(typing_context: Any, data: Any, place: Any) -> Any:
    def generate(*call: Any) -> Any:
        return _loaded(_WORD, *call)

    return types.uint64(data, types.intp), generate


def _comparison(operator: str) -> Callable[..., Any]:
    """The bits of a block for which a comparison with one byte holds."""

    def bits(typing_context: Any, data: Any, place: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = ir.VectorType(_BYTE, BLOCK)
            block = _loaded(kind, context, builder, signature, arguments)
            undefined = ir.Constant(kind, ir.Undefined)
            first = builder.insert_element(undefined, arguments[2], ir.Constant(_WORD, 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
            values = builder.shuffle_vector(first, undefined, zeros)
            return builder.bitcast(builder.icmp_unsigned(operator, block, values), _WORD)

        return types.uint64(data, types.intp, types.uint8), generate

    return bits


def _count_ones(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(*arguments)

    return types.uint64(types.uint64), generate


def _first_one(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(*arguments, ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


load_word: Any = intrinsic(_load_word)
"""In compiled functions, ``load_word(data, place)``: eight bytes of an array as one uint64.

NumPy can look at memory as words only where they begin at multiples of their size.
"""

bits_above: Any = intrinsic(_comparison(">"))
"""In compiled functions, ``bits_above(data, place, value)``: which of 64 bytes are above a value.

A uint64, the first byte lowest; a handful of instructions where a processor compares many bytes at
once.
"""

bits_equal: Any = intrinsic(_comparison("=="))
"""As :data:`bits_above`, for the bytes that equal the value."""

count_ones: Any = intrinsic(_count_ones)
"""In compiled functions, ``count_ones(bits)``: how many bits of a uint64 are set."""

first_one: Any = intrinsic(_first_one)
"""In compiled functions, ``first_one(bits)``: the place of the lowest set bit, or 64."""
