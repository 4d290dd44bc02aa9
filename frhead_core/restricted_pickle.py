"""Reading a pickle as data: plain containers, NumPy arrays and scalars, and nothing else.

``pickle.load`` runs what a file asks for. Here the opcodes are interpreted by a small machine that
knows only those that dictionaries of arrays need, and recognises a few globals by name without ever
importing or calling them: an array is made from its bytes, dtype and shape, which must agree.
So nothing in a file can run, and memory stays within a small multiple of the file's size; the
contents of large arrays are left in the file until they are asked for.
"""

from __future__ import annotations

import io
import mmap
import pickletools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from frhead_core.errors import InputError
from frhead_core.pickled_arrays import (
    DTYPE,
    ENCODE,
    FROM_BUFFER,
    NDARRAY,
    RECONSTRUCT,
    SCALAR,
    Allowance,
    DType,
    FileLiteral,
    Global,
    PendingArray,
    PickledArray,
    RefusedError,
    array_of_buffer,
    make_array,
    make_dtype,
    make_empty_array,
    make_scalar,
    set_byte_order,
)

__all__ = ["ANNOTATIONS", "SCORES", "PickledArray", "open_restricted", "read_restricted"]

_LARGE = 512  # bytes; smaller literals are kept at once


SCORES = Allowance(
    what="score file",
    globals=(*RECONSTRUCT, *SCALAR, *NDARRAY, *DTYPE),
    dtypes=("f4", "i4", "i8"),
    axes=2,
    most_bytes=64 * 2**20,  # the largest published set needs about 40 MiB
)
ANNOTATIONS = Allowance(
    what="annotation file",
    globals=(*SCORES.globals, *FROM_BUFFER, *ENCODE),
    dtypes=("f2", "f4", "f8", "i2", "i4", "i8"),
    axes=4,
    most_bytes=64 * 2**30,
    literals=("BINFLOAT", "BYTEARRAY8"),
)


class _Mark:
    """Where a tuple or a batch of items begins on the stack."""


@dataclass
class _Machine:
    """The stack and the memo of the pickle, and what each opcode does to them."""

    allowance: Allowance
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    encodings: dict[str, bytes] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self, kind: type | tuple[type, ...] = object) -> Any:
        value = self.stack.pop()
        if not isinstance(value, kind) or isinstance(value, _Mark):
            raise RefusedError("a value of the wrong kind", found=type(value).__name__)
        return value

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self.stack[-1], _Mark):
            items.append(self.stack.pop())
        self.stack.pop()
        return items[::-1]

    def push_global(self, name: str) -> None:
        if name not in self.allowance.globals:
            raise RefusedError(
                f"asks for {name[:80]}, which no {self.allowance.what} needs; it was not run",
                expected="only " + ", ".join(self.allowance.globals),
            )
        self.push(Global(name))

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
        arguments, function = self.pop(tuple), self.pop(Global)
        if function.name in DTYPE:
            self.push(make_dtype(arguments, self.allowance))
        elif function.name in SCALAR:
            self.push(make_scalar(arguments))
        elif function.name in RECONSTRUCT:
            self.push(make_empty_array(arguments, self.allowance))
        elif function.name in FROM_BUFFER:
            self.push(PendingArray(array_of_buffer(arguments, self.allowance)))
        elif function.name in ENCODE:
            self.push(self.encoded(arguments))
        else:
            raise RefusedError(
                f"a global used in a way that no {self.allowance.what} needs", found=function.name
            )

    def build(self) -> None:
        state, target = self.pop(tuple), self.stack[-1]
        if isinstance(target, DType):
            set_byte_order(target, state)
        elif isinstance(target, PendingArray):
            target.value = make_array(state, self.allowance)
        else:
            raise RefusedError("a state set on the wrong kind", found=type(target).__name__)

    def encoded(self, arguments: tuple[Any, ...]) -> bytes | FileLiteral:
        """Bytes that protocol 2 wrote as text. Equal ones are kept once, as the file has them."""
        match arguments:
            case (FileLiteral(text=True) as literal, "latin1"):
                return replace(literal, encoded=True)
            case (str(text), "latin1"):
                return self.encodings.setdefault(text, text.encode("latin-1"))
        raise RefusedError("text that does not stand for bytes")

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise RefusedError("items added to the wrong kind", found=type(target).__name__)
        target.extend(_finished(item) for item in items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise RefusedError("entries added to the wrong kind", found=type(target).__name__)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Only flat keys: hashing a deeply nested tuple would exhaust the C stack.
            if not isinstance(key, str | int | np.integer):
                raise RefusedError("a key of the wrong kind", found=type(key).__name__)
            if key in target:
                raise RefusedError("a key occurs more than once", found=str(key)[:80])
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
# How many bytes say how long a literal is that may be left in the file.
_LENGTH_BYTES = {"BINBYTES": 4, "BINBYTES8": 8, "BYTEARRAY8": 8, "BINUNICODE": 4, "BINUNICODE8": 8}
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


def read_restricted(content: bytes, path: Path, allowance: Allowance = SCORES) -> Any:
    """The value that a pickle describes, without running anything in it.

    Args:
        content: The pickle.
        path: Where it came from, for the messages.
        allowance: What it may hold.

    Returns:
        Dictionaries (keys: text or integers), lists, tuples, text, bytes, integers, None, NumPy
        numbers, and read-only arrays. What :func:`open_restricted` leaves in the file is read.

    Raises:
        InputError: If it is larger than any such file, is cut off or damaged, or holds any other
            opcode, global, dtype or shape.
    """
    _check_size(len(content), path, allowance)
    with _refusals_named(path):
        return _run(io.BytesIO(content), len(content), allowance, source=None)


@contextmanager
def open_restricted(path: Path, allowance: Allowance) -> Iterator[Any]:
    """The value that a pickle file describes; the content of large arrays stays in the file.

    Yields:
        As :func:`read_restricted`, but large arrays are :class:`PickledArray`, which can be read
        until the file is closed.

    Raises:
        InputError: As :func:`read_restricted`, or if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            _check_size(size, path, allowance)
            if size == 0:
                raise InputError("pickle is cut off or damaged (no end)", file=path)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                with _refusals_named(path):
                    value = _run(content, size, allowance, source=content)
                yield value
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from error


def _check_size(size: int, path: Path, allowance: Allowance) -> None:
    if size > allowance.most_bytes:
        raise InputError(
            "pickle is too large to be read",
            file=path,
            found=f"{size} bytes",
            expected=f"at most {allowance.most_bytes} bytes",
        )


@contextmanager
def _refusals_named(path: Path) -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        raise InputError(
            f"pickle is refused: {error.problem}",
            file=path,
            found=error.found,
            expected=error.expected,
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise InputError(f"pickle is cut off or damaged ({error})", file=path) from error


def _run(stream: Any, size: int, allowance: Allowance, source: Any) -> Any:
    """Interpret a stream. With a ``source`` to read them from, large literals are left there."""
    machine = _Machine(allowance)
    argument: Any
    for opcode, argument, position in pickletools.genops(stream):
        if opcode.name == "STOP":
            if position is None or position + 1 != size or len(machine.stack) != 1:
                raise RefusedError("something is left over at its end")
            return _finished(machine.pop())
        if opcode.name in _CONSTANTS:
            machine.push(_CONSTANTS[opcode.name]())
        elif source is not None and opcode.name in _LENGTH_BYTES and len(argument) >= _LARGE:
            start = (position or 0) + 1 + _LENGTH_BYTES[opcode.name]
            text = isinstance(argument, str)
            machine.push(FileLiteral(source, start, stream.tell(), len(argument), text))
        elif opcode.name in allowance.literals:
            machine.push(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif opcode.name in _OPERATIONS:
            _OPERATIONS[opcode.name](machine, argument)
        else:
            detail = "" if argument is None else f" {str(argument)[:80]}"
            raise RefusedError(
                f"holds an instruction that no {allowance.what} needs; it was not run",
                found=f"{opcode.name}{detail} at byte {position}",
            )
    raise ValueError("no end")


def _finished(value: Any) -> Any:
    if isinstance(value, FileLiteral):
        # Read wherever it is referred to, it could fill any memory.
        raise RefusedError("a text or bytes that is too long", found=f"{value.length}")
    if not isinstance(value, PendingArray):
        if isinstance(value, _Mark | Global | DType):
            raise RefusedError("a value of the wrong kind", found=type(value).__name__.strip("_"))
        return value
    if value.value is None:
        raise RefusedError("an array without content")
    return value.value
