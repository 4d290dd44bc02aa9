"""Reading a pickle as data: plain containers, NumPy arrays and scalars, and nothing else.

``pickle.load`` runs what a file asks for. Here the opcodes are interpreted by a small machine that
knows only those that dictionaries of arrays need, and recognises four globals by name without ever
importing or calling them: an array is made from its bytes, dtype and shape, which must agree.
So nothing in a file can run, and memory stays within a small multiple of the file's size.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from frhead_core.errors import InputError

# NumPy 2 moved numpy.core to numpy._core; files of both spellings exist.
_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_NDARRAY = ("numpy.ndarray",)
_DTYPE = ("numpy.dtype",)
ALLOWED_GLOBALS = (*_RECONSTRUCT, *_SCALAR, *_NDARRAY, *_DTYPE)

_DTYPE_CODES = ("f4", "i4", "i8")
_MOST_BYTES = 64 * 2**20  # the largest published set needs about 40 MiB


class _RefusedError(Exception):
    """A pickle holds something that is not allowed. The arguments are those of InputError."""

    def __init__(self, problem: str, found: object = None, expected: object = None) -> None:
        super().__init__(problem)
        self.problem, self.found, self.expected = problem, found, expected


@dataclass(frozen=True)
class _Global:
    """A name that the pickle refers to. It is compared, never imported."""

    name: str


class _Mark:
    """Where a tuple or a batch of items begins on the stack."""


@dataclass
class _DType:
    """A dtype; its byte order follows in a second step of the pickle."""

    dtype: np.dtype[Any]


@dataclass
class _Array:
    """An array; its content follows in a second step of the pickle."""

    value: np.ndarray | None = None


@dataclass
class _Machine:
    """The stack and the memo of the pickle, and what each opcode does to them."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self, kind: type | tuple[type, ...] = object) -> Any:
        value = self.stack.pop()
        if not isinstance(value, kind) or isinstance(value, _Mark):
            raise _RefusedError("a value of the wrong kind", found=type(value).__name__)
        return value

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self.stack[-1], _Mark):
            items.append(self.stack.pop())
        self.stack.pop()
        return items[::-1]

    def push_global(self, name: str) -> None:
        if name not in ALLOWED_GLOBALS:
            raise _RefusedError(
                f"asks for {name[:80]}, which no score file needs; it was not run",
                expected="only " + ", ".join(ALLOWED_GLOBALS),
            )
        self.push(_Global(name))

    def push_stack_global(self) -> None:
        name, module = self.pop(str), self.pop(str)
        self.push_global(f"{module}.{name}")

    def push_tuple(self, length: int) -> None:
        self.push(tuple(self.pop() for _ in range(length))[::-1])

    def get(self, index: int) -> None:
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def reduce(self) -> None:
        arguments, function = self.pop(tuple), self.pop(_Global)
        if function.name in _DTYPE:
            self.push(_make_dtype(arguments))
        elif function.name in _SCALAR:
            self.push(_make_scalar(arguments))
        elif function.name in _RECONSTRUCT:
            self.push(_make_empty_array(arguments))
        else:
            raise _RefusedError(
                "a global used in a way that no score file needs", found=function.name
            )

    def build(self) -> None:
        state, target = self.pop(tuple), self.stack[-1]
        if isinstance(target, _DType):
            _set_byte_order(target, state)
        elif isinstance(target, _Array):
            target.value = _make_array(state)
        else:
            raise _RefusedError("a state set on the wrong kind", found=type(target).__name__)

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _RefusedError("items added to the wrong kind", found=type(target).__name__)
        target.extend(_finished(item) for item in items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise _RefusedError("entries added to the wrong kind", found=type(target).__name__)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Only flat keys: hashing a deeply nested tuple would exhaust the C stack.
            if not isinstance(key, str | int | np.integer):
                raise _RefusedError("a key of the wrong kind", found=type(key).__name__)
            if key in target:
                raise _RefusedError("a key occurs more than once", found=str(key)[:80])
            target[key] = _finished(value)


def _one(machine: _Machine) -> list[Any]:
    return [machine.pop()]


def _two(machine: _Machine) -> list[Any]:
    value, key = machine.pop(), machine.pop()
    return [key, value]


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "MARK": _Mark,
}
_LITERALS = (
    *("BININT", "BININT1", "BININT2"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
)
_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, argument: None),
    **dict.fromkeys(_LITERALS, _Machine.push),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GLOBAL": lambda machine, name: machine.push_global(name.replace(" ", ".")),
    "STACK_GLOBAL": lambda machine, _: machine.push_stack_global(),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
    "APPEND": lambda machine, _: machine.append(_one(machine)),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(_two(machine)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
}


def read_restricted(content: bytes, path: Path) -> Any:
    """The value that a pickle describes, without running anything in it.

    Args:
        content: The pickle.
        path: Where it came from, for the messages.

    Returns:
        Dictionaries (keys: text or integers), lists, tuples, text, bytes, integers, None, NumPy
        integers, and read-only arrays of at most two axes (float32, int32 or int64).

    Raises:
        InputError: If it is larger than any such file, is cut off or damaged, or holds any other
            opcode, global, dtype or shape.
    """
    if len(content) > _MOST_BYTES:
        raise InputError(
            "pickle is too large to be read",
            file=path,
            found=f"{len(content)} bytes",
            expected=f"at most {_MOST_BYTES} bytes",
        )
    try:
        return _run(content)
    except _RefusedError as error:
        raise InputError(
            f"pickle is refused: {error.problem}",
            file=path,
            found=error.found,
            expected=error.expected,
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"pickle is cut off or damaged ({error})", file=path) from error


def _run(content: bytes) -> Any:
    machine = _Machine()
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name == "STOP":
            if position is None or position + 1 != len(content) or len(machine.stack) != 1:
                raise _RefusedError("something is left over at its end")
            return _finished(machine.pop())
        if opcode.name in _CONSTANTS:
            machine.push(_CONSTANTS[opcode.name]())
        elif opcode.name in _OPERATIONS:
            _OPERATIONS[opcode.name](machine, argument)
        else:
            detail = "" if argument is None else f" {str(argument)[:80]}"
            raise _RefusedError(
                "holds an instruction that no score file needs; it was not run",
                found=f"{opcode.name}{detail} at byte {position}",
            )
    raise ValueError("no end")


def _make_dtype(arguments: tuple[Any, ...]) -> _DType:
    code = arguments[0] if len(arguments) == 3 else None
    if not isinstance(code, str) or code not in _DTYPE_CODES:
        raise _RefusedError(
            "an array type that no score file needs",
            found=str(code)[:80] if isinstance(code, str) else type(code).__name__,
            expected=" or ".join(_DTYPE_CODES),
        )
    return _DType(np.dtype(code))


def _set_byte_order(target: _DType, state: tuple[Any, ...]) -> None:
    # (version, byte order, and what only structured or object types have)
    order = state[1] if len(state) == 8 else None
    if not isinstance(order, str) or order not in "<>=" or state[2:5] != (None, None, None):
        raise _RefusedError("a dtype that is not a plain number", expected="little or big endian")
    target.dtype = target.dtype.newbyteorder(order)  # type: ignore[arg-type]


def _make_scalar(arguments: tuple[Any, ...]) -> Any:
    return _from_bytes((), *_dtype_and_bytes(arguments))[()]


def _make_empty_array(arguments: tuple[Any, ...]) -> _Array:
    kind = arguments[0] if len(arguments) == 3 else None
    if not isinstance(kind, _Global) or kind.name not in _NDARRAY:
        raise _RefusedError("an array of a kind that no score file needs")
    return _Array()


def _make_array(state: tuple[Any, ...]) -> np.ndarray:
    # (version, shape, dtype, Fortran order, bytes)
    if len(state) != 5 or state[3] is not False:
        raise _RefusedError("an array whose description is not understood")
    shape = state[1]
    if not isinstance(shape, tuple) or len(shape) > 2:
        raise _RefusedError("an array whose shape is not understood")
    if any(type(length) is not int or length < 0 for length in shape):
        raise _RefusedError("an array whose shape is not understood")
    return _from_bytes(shape, *_dtype_and_bytes((state[2], state[4])))


def _dtype_and_bytes(pair: tuple[Any, ...]) -> tuple[np.dtype[Any], bytes]:
    if len(pair) != 2 or not isinstance(pair[0], _DType) or not isinstance(pair[1], bytes):
        raise _RefusedError("an array or number whose content is not plain bytes")
    return pair[0].dtype, pair[1]


def _from_bytes(shape: tuple[int, ...], dtype: np.dtype[Any], values: bytes) -> np.ndarray:
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size != len(values):
        raise _RefusedError(
            f"an array declares {dtype} {shape} but does not hold it",
            found=f"{len(values)} bytes",
            expected=f"{size} bytes",
        )
    return np.frombuffer(values, dtype=dtype).reshape(shape)


def _finished(value: Any) -> Any:
    if not isinstance(value, _Array):
        if isinstance(value, _Mark | _Global | _DType):
            raise _RefusedError("a value of the wrong kind", found=type(value).__name__.strip("_"))
        return value
    if value.value is None:
        raise _RefusedError("an array without content")
    return value.value
