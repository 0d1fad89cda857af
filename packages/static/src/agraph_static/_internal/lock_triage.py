"""Which files may take one lock while they hold another: a part of the triage."""

from __future__ import annotations

import ast
import re

from agraph_static._internal.nodes import NO_NAMES, last_name, mentioned, walk
from agraph_static._internal.units import Unit, any_in, reach

_ROUNDS = 4
"""How many awaited calls away a second lock is looked for."""

_LOCK = re.compile(rb"(?<!threading\.)\b(?:Lock|Condition|(?:Bounded)?Semaphore)\b(?=\s*[(),=|\]]|\s+as\b)")
"""A lock that is made or imported, or given to what will make it: `defaultdict(asyncio.Lock)`."""

_LOCKS = (b"Lock", b"Condition", b"Semaphore")
_TAKES = (b"async with", b".acquire()")


def takes_locks(data: bytes) -> bool:
    """Whether a text may take a lock of asyncio."""
    return any_in(_LOCKS, data) and any_in(_TAKES, data)


def makes_locks(data: bytes) -> bool:
    """Whether a text may make a lock of asyncio, or say that something is one."""
    return any_in(_LOCKS, data) and _LOCK.search(data) is not None


def nests_locks(found: list[Unit], data: bytes) -> bool:
    """Whether a lock may be taken while one is held. A lock is what is named on a line that says `Lock`."""
    lines = {line for line in data.split(b"\n") if any_in(_LOCKS, line) and _LOCK.search(line)}
    said = {name.decode(errors="replace") for line in lines for name in re.findall(rb"\w+", line)} - NO_NAMES
    holding = [
        (unit, node)
        for unit in found
        if any_in(_TAKES, unit.text)
        for node in walk(unit.node)
        if any(mentioned(one) & said for one in _taken(node))
    ]
    reached = {name.decode() for name in reach(found, {unit.name for unit, _ in holding}, _ROUNDS)}
    nodes = {id(node) for _, node in holding}
    for unit, node in holding:
        if isinstance(node, ast.AsyncWith) and len(node.items) > 1:
            return True
        held = node.body if isinstance(node, ast.AsyncWith) else [unit.node]
        for inner in (one for statement in held for one in walk(statement)):
            if id(inner) in nodes and inner is not node:
                return True
            if isinstance(inner, ast.Call) and last_name(inner.func) in reached:
                return True
    return False


def _taken(node: ast.AST) -> list[ast.expr]:
    """What an `async with` enters, or the lock of `await lock.acquire()`."""
    if isinstance(node, ast.AsyncWith):
        return [item.context_expr for item in node.items]
    call = node.value if isinstance(node, ast.Await) else None
    func = call.func if isinstance(call, ast.Call) else None
    return [func.value] if isinstance(func, ast.Attribute) and func.attr == "acquire" else []
