"""Which `with` and `async with` blocks are open in a suspended frame, and on which managers.

The exception table of the code (Objects/exception_handling_notes.txt in CPython) says exactly how many blocks
are open at an instruction: each has a handler that begins with PUSH_EXC_INFO, WITH_EXCEPT_START.

The managers themselves stand on the value stack of the frame, which `gc.get_referents` of the coroutine shows
after its locals (gen_traverse in Objects/genobject.c): up to 3.13 as the bound `__aexit__`, since 3.14 as the
function with the manager after it (LOAD_SPECIAL in Python/bytecodes.c). The stack alone would mislead: a
manager that is just being entered is on it, and so is one whose `__aexit__` handles an exception; a local can
hold an `__aexit__`.
"""

from __future__ import annotations

import dis
import gc
import types
from asyncio import locks
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.compat import LOCALS_ARE_A_VIEW
from agraph._internal.frame_locals import read_locals

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_PUSH_EXC_INFO = dis.opmap["PUSH_EXC_INFO"]
_WITH_EXCEPT_START = dis.opmap["WITH_EXCEPT_START"]
_END_ASYNC_FOR = dis.opmap["END_ASYNC_FOR"]
_GET_AWAITABLE = dis.opmap["GET_AWAITABLE"]
# What stands between GET_AWAITABLE and the place where the frame is suspended.
_AWAITING = frozenset(
    dis.opmap[name]
    for name in (
        "CACHE",
        "LOAD_CONST",
        "SEND",
        "YIELD_VALUE",
        "RESUME",
        "NOP",
        "LOAD_COMMON_CONSTANT",
        "PUSH_NULL",
    )
    if name in dis.opmap
)
_LOCKS = locks.Lock.acquire.__code__.co_filename
_EXITS = ("__aexit__", "__exit__")
_FUNCTIONS = {*map(id, (types.FunctionType, types.WrapperDescriptorType, types.MethodDescriptorType))}
_METHODS = {*map(id, (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType))}


class Blocks(NamedTuple):
    """The blocks of a frame at one instruction.

    Attributes:
        lines: The line of each `with` that is open, entered and not being left; outermost first.
        stacked: How many managers are on the value stack; one more while one is entered, or left by an
            exception.
        iterates: Whether the code has an `async for`, so that an async generator may stand on the stack.
        releases: Whether the code names anything `release`, so that it may give back what a block has taken.
    """

    lines: tuple[int, ...]
    stacked: int
    iterates: bool = False
    releases: bool = False


NO_BLOCKS = Blocks((), 0)


def mentions_release(code: types.CodeType) -> bool:
    """Whether a function, or one inside of it, names anything `release`; not asyncio's own of its locks.

    What those release is known: of them only `Condition.wait` does.
    """
    ahead = [code] if code.co_filename != _LOCKS else []
    while ahead:
        current = ahead.pop()
        if "release" in current.co_names:
            return True
        ahead += (constant for constant in current.co_consts if type(constant) is types.CodeType)
    return False


def cleans_up(code: types.CodeType, lasti: int) -> bool:
    """Whether closing a suspended frame may run some of its code.

    Args:
        code: The code of the frame.
        lasti: Its `f_lasti`.

    Returns:
        Whether it stands in a `try` or `with`. The handlers that the compiler adds around every `await` and
        every coroutine do not begin with PUSH_EXC_INFO.
    """
    return any(code.co_code[target] == _PUSH_EXC_INFO for target in _handlers(code, lasti))


def _handlers(code: types.CodeType, lasti: int) -> list[int]:
    """Where an exception goes, innermost first, if none of its handlers ends it."""
    found: list[int] = []
    if not code.co_exceptiontable or lasti < 0:
        return found
    entries = list(_entries(code.co_exceptiontable))
    position, seen = lasti, set[int]()
    while position not in seen:
        seen.add(position)
        target = next((target for start, end, target in entries if start <= position < end), None)
        if target is None:
            break
        found.append(target)
        position = target
    return found


def blocks_at(code: types.CodeType, lasti: int) -> Blocks:
    """The blocks that are open where a frame is suspended.

    Args:
        code: The code of the frame.
        lasti: Its `f_lasti`.

    Returns:
        Which are open and how many are on the value stack.
    """
    releases = mentions_release(code)
    if not code.co_exceptiontable or lasti < 0:
        return Blocks((), 0, releases=releases)
    bytecode = code.co_code
    iterates = _END_ASYNC_FOR in bytecode[::2]
    handlers = [
        target
        for target in reversed(_handlers(code, lasti))
        if bytecode[target] == _PUSH_EXC_INFO and bytecode[target + 2] == _WITH_EXCEPT_START
    ]
    # The handler has the line of the `with` itself.
    lines = tuple(_line_of(code, handler) for handler in handlers)
    return Blocks(lines, len(lines) + _in_between(bytecode, lasti), iterates, releases)


def _line_of(code: types.CodeType, offset: int) -> int:
    return next((line or 0 for start, end, line in code.co_lines() if start <= offset < end), 0)


def _entries(table: bytes) -> Iterator[tuple[int, int, int]]:
    """(start, end, target) in bytes of each entry (format: Objects/exception_handling_notes.txt)."""
    numbers = _varints(table)
    for start in numbers:
        length, target, _depth = next(numbers), next(numbers), next(numbers)
        yield start * 2, (start + length) * 2, target * 2


def _varints(table: bytes) -> Iterator[int]:
    value = 0
    for byte in table:
        value = (value << 6) | (byte & 63)
        if not byte & 64:
            yield value
            value = 0


def _in_between(bytecode: bytes, lasti: int) -> int:
    """1 when the frame awaits `__aenter__`, or `__aexit__` with an exception: then one more is stacked."""
    for offset in range(lasti, max(lasti - 20, -1), -2):
        opcode = bytecode[offset]
        if opcode == _GET_AWAITABLE:
            # Its argument says what is awaited (GET_AWAITABLE in the documentation of dis).
            entered = bytecode[offset + 1] == 1
            failed = bytecode[offset + 1] == 2 and bytecode[offset - 2] == _WITH_EXCEPT_START
            return int(entered or failed)
        if opcode not in _AWAITING:
            break
    return 0


def open_managers(owner: object, blocks: Blocks) -> list[object] | None:
    """The managers of the open blocks of a suspended coroutine, generator or async generator.

    Args:
        owner: It.
        blocks: What `blocks_at` said of its frame.

    Returns:
        The managers, outermost first; None when they cannot be told from other objects.
    """
    if not blocks.lines:
        return []
    found = list(_stacked(gc.get_referents(owner)))
    # Locals come before the value stack. On that what an expression has evaluated so far, such as arguments
    # of a call, comes after the managers of the blocks around it.
    first = 0
    if len(found) > blocks.stacked:
        known = plain_locals(owner)
        if known is None:
            return None
        first = len(list(_stacked(known)))
    if len(found) < first + blocks.stacked:
        return None
    return found[first : first + len(blocks.lines)]


def plain_locals(owner: Any) -> list[object] | None:  # noqa: ANN401 - a coroutine or generator
    """The locals of a suspended frame as they stand before its value stack; None when they cannot be read.

    Those that functions inside share are left out: in their place stand cells.
    """
    frame = frame_of(owner)
    if frame is None:
        return None
    code = frame.f_code
    values = read_locals(frame, owner)
    if not values and code.co_varnames and not LOCALS_ARE_A_VIEW:
        return None  # reading them would have left a trace, or none has a value
    return [values[name] for name in code.co_varnames if name in values and name not in code.co_cellvars]


def frame_of(owner: Any) -> types.FrameType | None:  # noqa: ANN401 - a coroutine or generator
    """The frame of a suspended coroutine or generator; None for anything else."""
    kind = type(owner)
    if kind is types.CoroutineType:
        return owner.cr_frame  # type: ignore[no-any-return]
    if kind is types.AsyncGeneratorType:
        return owner.ag_frame  # type: ignore[no-any-return]
    return owner.gi_frame if kind is types.GeneratorType else None


def _stacked(referents: list[object]) -> Iterator[object]:
    for position, item in enumerate(referents):
        kind = id(type(item))  # a metaclass may define `__hash__`
        if kind in _METHODS:
            if item.__name__ in _EXITS:  # type: ignore[attr-defined]
                yield item.__self__  # type: ignore[attr-defined]
        elif kind in _FUNCTIONS and item.__name__ in _EXITS and position + 1 < len(referents):  # type: ignore[attr-defined]
            yield referents[position + 1]


def _self_test() -> bool:
    """Whether all this holds on the running interpreter: two blocks, one being entered, one only a local."""

    class Manager:
        async def __aenter__(self) -> None:
            await Suspend()

        async def __aexit__(self, *_: object) -> None: ...

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    class Suspend:
        def __await__(self) -> Generator[None, None, None]:
            yield

    first, second, third = Manager(), Manager(), Manager()

    async def sample() -> None:
        local = third.__aexit__, Manager.__aexit__, third
        exit_of_local = third.__aexit__
        with first:
            await Suspend()
            try:
                async with second:
                    await Suspend()
            finally:
                del local, exit_of_local

    seen: list[list[object] | None] = []
    coroutine: Any = sample()
    try:
        for _ in range(3):
            coroutine.send(None)
            frame = coroutine.cr_frame
            seen.append(open_managers(coroutine, blocks_at(frame.f_code, frame.f_lasti)))
    finally:
        coroutine.close()
    return [[id(item) for item in row or ()] for row in seen] == [
        [id(first)],
        [id(first)],
        [id(first), id(second)],
    ]


def works() -> bool:
    """Whether open blocks can be read on this interpreter; never an exception."""
    try:
        return _self_test()
    except Exception:  # noqa: BLE001 - an unknown interpreter may fail in any way
        return False
