"""NumPy's way of writing arrays into a pickle, understood without calling anything.

What a pickle asks NumPy to do is recognised by name and done here, with everything checked: an
array comes from plain bytes that its dtype and shape account for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

# NumPy 2 moved numpy.core to numpy._core; files of both spellings exist.
RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
NDARRAY = ("numpy.ndarray",)
DTYPE = ("numpy.dtype",)
FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
ENCODE = ("_codecs.encode",)  # how protocol 2 writes bytes


@dataclass(frozen=True)
class Allowance:
    """What a kind of file may hold.

    Attributes:
        what: What the kind is called in messages.
        globals: Names that may occur.
        dtypes: Codes of the dtypes of arrays and scalars.
        axes: Most axes of an array.
        most_bytes: Largest size of a file.
        literals: Opcodes of further plain values.
    """

    what: str
    globals: tuple[str, ...]
    dtypes: tuple[str, ...]
    axes: int
    most_bytes: int
    literals: tuple[str, ...] = ()


class RefusedError(Exception):
    """A pickle holds something that is not allowed. The arguments are those of InputError."""

    def __init__(self, problem: str, found: object = None, expected: object = None) -> None:
        super().__init__(problem)
        self.problem, self.found, self.expected = problem, found, expected


@dataclass(frozen=True)
class Global:
    """A name that the pickle refers to. It is compared, never imported."""

    name: str


@dataclass
class DType:
    """A dtype; its byte order follows in a second step of the pickle."""

    dtype: np.dtype[Any]


@dataclass(frozen=True)
class FileLiteral:
    """A large text or bytes that stays in the file: from byte ``start`` up to before ``end``.

    ``length`` counts characters or bytes. ``encoded`` text stands for the bytes of its code points.
    """

    source: Any
    start: int
    end: int
    length: int
    text: bool
    encoded: bool = False

    def read(self) -> bytes:
        content = bytes(self.source[self.start : self.end])
        return content.decode("utf-8", "surrogatepass").encode("latin-1") if self.text else content


@dataclass(frozen=True)
class PickledArray:
    """An array whose content is still in the file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Literal["C", "F"]
    content: FileLiteral

    def read(self) -> np.ndarray:
        """The array, a copy.

        Raises:
            ValueError: If the content is not what it should be.
        """
        values = np.frombuffer(self.content.read(), dtype=self.dtype)
        return values.reshape(self.shape, order=self.order)


@dataclass
class PendingArray:
    """An array; its content follows in a second step of the pickle."""

    value: np.ndarray | PickledArray | None = None


def make_dtype(arguments: tuple[Any, ...], allowance: Allowance) -> DType:
    """A dtype from the arguments of ``numpy.dtype``."""
    code = arguments[0] if len(arguments) == 3 else None
    if not isinstance(code, str) or code not in allowance.dtypes:
        raise RefusedError(
            f"an array type that no {allowance.what} needs",
            found=str(code)[:80] if isinstance(code, str) else type(code).__name__,
            expected=" or ".join(allowance.dtypes),
        )
    return DType(np.dtype(code))


def set_byte_order(target: DType, state: tuple[Any, ...]) -> None:
    """Set the byte order of a dtype from the state that its pickle gives it."""
    # (version, byte order, and what only structured or object types have)
    order = state[1] if len(state) == 8 else None
    if not isinstance(order, str) or order not in "<>=" or state[2:5] != (None, None, None):
        raise RefusedError("a dtype that is not a plain number", expected="little or big endian")
    target.dtype = target.dtype.newbyteorder(order)  # type: ignore[arg-type]


def make_scalar(arguments: tuple[Any, ...]) -> Any:
    """A NumPy number from the arguments of ``scalar``: dtype and bytes."""
    value = _from_bytes((), "C", *_dtype_and_bytes(arguments))
    if isinstance(value, PickledArray):
        raise RefusedError("a number of many bytes")
    return value[()]


def make_empty_array(arguments: tuple[Any, ...], allowance: Allowance) -> PendingArray:
    """An array to come, from the arguments of ``_reconstruct``."""
    kind = arguments[0] if len(arguments) == 3 else None
    if not isinstance(kind, Global) or kind.name not in NDARRAY:
        raise RefusedError(f"an array of a kind that no {allowance.what} needs")
    return PendingArray()


def make_array(state: tuple[Any, ...], allowance: Allowance) -> np.ndarray | PickledArray:
    """The array that the state of its pickle describes."""
    # (version, shape, dtype, Fortran order, bytes)
    if len(state) != 5 or type(state[3]) is not bool:
        raise RefusedError("an array whose description is not understood")
    shape = _checked_shape(state[1], allowance)
    return _from_bytes(shape, "F" if state[3] else "C", *_dtype_and_bytes((state[2], state[4])))


def array_of_buffer(arguments: tuple[Any, ...], allowance: Allowance) -> np.ndarray | PickledArray:
    """The array that the arguments of ``_frombuffer`` describe (protocol 5)."""
    # (bytes, dtype, shape, order)
    if len(arguments) != 4 or not isinstance(arguments[3], str) or arguments[3] not in ("C", "F"):
        raise RefusedError("an array whose description is not understood")
    shape = _checked_shape(arguments[2], allowance)
    order: Literal["C", "F"] = "F" if arguments[3] == "F" else "C"
    return _from_bytes(shape, order, *_dtype_and_bytes((arguments[1], arguments[0])))


def _checked_shape(shape: Any, allowance: Allowance) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > allowance.axes:
        raise RefusedError("an array whose shape is not understood")
    if any(type(length) is not int or length < 0 for length in shape):
        raise RefusedError("an array whose shape is not understood")
    return shape


def _dtype_and_bytes(pair: tuple[Any, ...]) -> tuple[np.dtype[Any], bytes | FileLiteral]:
    match pair:
        case (DType(dtype=dtype), bytes(values)):
            return dtype, values
        case (DType(dtype=dtype), FileLiteral() as literal) if literal.encoded or not literal.text:
            return dtype, literal
    raise RefusedError("an array or number whose content is not plain bytes")


def _from_bytes(
    shape: tuple[int, ...],
    order: Literal["C", "F"],
    dtype: np.dtype[Any],
    values: bytes | FileLiteral,
) -> np.ndarray | PickledArray:
    size = dtype.itemsize
    for length in shape:
        size *= length
    found = values.length if isinstance(values, FileLiteral) else len(values)
    if size != found:
        raise RefusedError(
            f"an array declares {dtype} {shape} but does not hold it",
            found=f"{found} bytes",
            expected=f"{size} bytes",
        )
    if isinstance(values, FileLiteral):
        return PickledArray(dtype, shape, order, values)
    return np.frombuffer(values, dtype=dtype).reshape(shape, order=order)
