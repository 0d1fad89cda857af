"""Frames that run on a thread right now: their locals, and the call that the innermost one stands at.

Such a frame shows nothing to the garbage collector, its value stack least of all. What it calls is read from
its bytecode instead: `with x.lock:` and `x.lock.acquire()` name the lock by a path of names (the instructions
are those of Python/bytecodes.c), and the path is followed without running code of the application.
"""

from __future__ import annotations

import dis
from inspect import CO_OPTIMIZED
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.compat import LOCALS_ARE_A_VIEW
from agraph._internal.instances import NOTHING, attribute, item, name_of_type
from agraph._internal.withs import _entries

if TYPE_CHECKING:
    from types import CodeType, FrameType

_PUSH_EXC_INFO = dis.opmap["PUSH_EXC_INFO"]
_WITH_EXCEPT_START = dis.opmap["WITH_EXCEPT_START"]
# Names of functions that leave something in the dictionary of a frame, up to 3.12.
_USES_LOCALS = frozenset({"locals", "vars", "exec", "eval", "dir"})
# Before a call of a method with a bound `self`: what evaluates neither object nor name.
_SILENT = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "NOT_TAKEN", "RESUME_CHECK"})
# The subscript among the binary operators (NB_SUBSCR in Include/opcode.h, since 3.14).
_SUBSCRIPT = 26
_CALLING = frozenset(dis.opmap[name] for name in ("BEFORE_WITH", "PRECALL", "CALL") if name in dis.opmap)
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_CONSTANTS = frozenset({"LOAD_CONST", "LOAD_SMALL_INT"})


class Path(NamedTuple):
    """How code names an object.

    Attributes:
        root: The name of a variable.
        scope: `local`, `cell` (shared with a function inside or outside) or `global`.
        steps: Attributes, each as ("attribute", name), and items, each as ("item", key), in order.
    """

    root: str
    scope: str
    steps: tuple[tuple[str, Any], ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether it is a plain local: nobody else can give the name to another object meanwhile."""
        return self.scope == "local" and not self.steps


def live_locals(frame: FrameType) -> dict[str, Any]:
    """The variables of a frame that runs on some thread; empty where reading would leave a trace.

    Up to 3.12 `f_locals` fills a dictionary that stays with the frame and keeps the values alive. It is
    emptied again, but not where a trace function or the code itself may look at it.
    """
    code = frame.f_code
    if not code.co_flags & CO_OPTIMIZED:
        return {}  # a module or class body: its locals are its namespace
    if LOCALS_ARE_A_VIEW:
        return dict(frame.f_locals)
    if frame.f_trace is not None or not _USES_LOCALS.isdisjoint(code.co_names):
        return {}
    kept = frame.f_locals
    values = dict(kept)
    kept.clear()
    return values


def awaited_call(frame: FrameType) -> tuple[Path, str] | None:
    """The object and the method that a frame has called without arguments and not returned from yet.

    Returns:
        The path of the object and the name of the method, `__enter__` for a `with`; None when the frame
        stands at anything else.
    """
    return call_at(frame.f_code, frame.f_lasti)


def call_at(code: CodeType, offset: int) -> tuple[Path, str] | None:
    """The same for any instruction of a code."""
    if not 0 <= offset < len(code.co_code) or code.co_code[offset] not in _CALLING:
        return None  # so that most codes need not be disassembled
    all_up_to = [item for item in dis.get_instructions(code) if item.offset <= offset]
    here, before = all_up_to[-1], all_up_to[:-1]
    if here.offset != offset:
        return None
    method: str | None = "__enter__"
    if here.opname != "BEFORE_WITH":  # that is a `with` up to 3.13
        method = _method_called(before) if here.arg == 0 else None
    path = None if method is None else _path(before)
    # What is jumped into was evaluated in another way too: `(first or second).acquire()`.
    straight = not any(item.is_jump_target for item in all_up_to[len(before) + 1 :])
    return (path, method) if path is not None and method is not None and straight else None


def _method_called(before: list[dis.Instruction]) -> str | None:
    """The name of the method that these instructions load last, and take off the list."""
    last = _next(before)
    if last is not None and last.opname in _ATTRIBUTES:
        return str(last.argval)
    if last is not None and last.opname == "LOAD_SPECIAL" and last.arg == 0 and _is_entered(before):
        return "__enter__"  # a `with` since 3.14
    return None


def _next(before: list[dis.Instruction]) -> dis.Instruction | None:
    while before and before[-1].opname in _SILENT:
        before.pop()
    return before.pop() if before else None


def _is_entered(before: list[dis.Instruction]) -> bool:
    """Whether the manager is copied and its `__exit__` put below it, as `with` does since 3.14."""
    expected = (("SWAP", 3), ("SWAP", 2), ("LOAD_SPECIAL", 1), ("COPY", 1))
    found = [_next(before) for _ in expected]
    return all(
        item is not None and (item.opname, item.arg) == pair
        for item, pair in zip(found, expected, strict=True)
    )


def _path(before: list[dis.Instruction]) -> Path | None:
    """The path that the last of these instructions evaluate; None when it is any other expression."""
    steps: list[tuple[str, Any]] = []
    while (read := _next(before)) is not None:
        name = read.opname
        if name in _ATTRIBUTES:
            steps.insert(0, ("attribute", str(read.argval)))
        elif name == "BINARY_SUBSCR" or (name == "BINARY_OP" and read.arg == _SUBSCRIPT):
            key = _next(before)
            if key is None or key.opname not in _CONSTANTS or type(key.argval) not in (int, str):
                return None
            steps.insert(0, ("item", key.argval))
        elif name.startswith(("LOAD_FAST", "LOAD_DEREF")):
            # Two loads in one instruction have two names: the second is on top.
            root = read.argval[-1] if type(read.argval) is tuple else read.argval
            return Path(str(root), "local" if name.startswith("LOAD_FAST") else "cell", tuple(steps))
        elif name in ("LOAD_GLOBAL", "LOAD_NAME"):
            return Path(str(read.argval), "global", tuple(steps))
        else:
            return None
    return None


def open_withs(frame: FrameType) -> list[tuple[Path, int]]:
    """The managers of the open `with` blocks of a running frame, as far as their code names them.

    Returns:
        The path and the line of each, outermost first.
    """
    code, position = frame.f_code, frame.f_lasti
    if not code.co_exceptiontable or position < 0:
        return []
    entries, bytecode = list(_entries(code.co_exceptiontable)), code.co_code
    found: list[tuple[Path, int]] = []
    seen: set[int] = set()
    while position not in seen:
        seen.add(position)
        target = next((target for start, end, target in entries if start <= position < end), None)
        if target is None:
            break
        if bytecode[target] == _PUSH_EXC_INFO and bytecode[target + 2] == _WITH_EXCEPT_START:
            body = min(start for start, _end, handler in entries if handler == target)
            entered = _entered_before(code, body)
            if entered is not None and not _is_assigned(code, entered[0], body, frame.f_lasti):
                found.insert(0, entered)
        position = target
    return found


def _is_assigned(code: CodeType, path: Path, first: int, last: int) -> bool:
    """Whether code between two places may have given another meaning to the names of a path."""
    names = {path.root, *(name for kind, name in path.steps if kind == "attribute")}
    return any(
        instruction.opname.startswith(("STORE_", "DELETE_")) and not names.isdisjoint(_names_of(instruction))
        for instruction in dis.get_instructions(code)
        if first <= instruction.offset <= last
    )


def _names_of(instruction: dis.Instruction) -> tuple[object, ...]:
    """The names that an instruction stores; since 3.13 there may be two in one (Python/bytecodes.c)."""
    value = instruction.argval
    if type(value) is not tuple:
        return (value,)
    return value[:1] if instruction.opname == "STORE_FAST_LOAD_FAST" else value


def _entered_before(code: CodeType, body: int) -> tuple[Path, int] | None:
    """The manager that is entered right before the body of a `with` begins."""
    entering = -1
    for instruction in dis.get_instructions(code):
        if instruction.offset >= body:
            break
        entering = instruction.offset
    call = call_at(code, entering)
    if call is None or call[1] != "__enter__":
        return None
    line = next((line or 0 for start, end, line in code.co_lines() if start <= entering < end), 0)
    return call[0], line


def follow(path: Path, frame: FrameType) -> Any:  # noqa: ANN401 - any object, or NOTHING
    """The object that a path names in a frame; NOTHING where that cannot be told without running code."""
    names = frame.f_globals if path.scope == "global" else live_locals(frame)
    found = names.get(path.root, NOTHING) if type(names) is dict else NOTHING
    for kind, name in path.steps:
        if found is NOTHING:
            break
        found = attribute(found, name) if kind == "attribute" else item(found, name)
    return found


def spelled(path: Path, frame: FrameType) -> str:
    """A path as a person would write it: `Pool._lock` for `self._lock`, `locks['x']`."""
    root = path.root
    if root == "self" and path.steps:
        owner = live_locals(frame).get("self", NOTHING)
        root = root if owner is NOTHING else name_of_type(type(owner))
    return root + "".join(f".{name}" if kind == "attribute" else f"[{name!r}]" for kind, name in path.steps)
