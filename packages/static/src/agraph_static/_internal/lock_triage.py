"""Which files may take one lock while they hold another: a part of the triage."""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph_static._internal import vocabulary as words
from agraph_static._internal.nodes import NO_NAMES, defaults, last_name, mentioned, own_name, walk
from agraph_static._internal.units import Unit, Units, any_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOCK = re.compile(rb"(?<!threading\.)\b(?:Lock|Condition|(?:Bounded)?Semaphore)\b(?=\s*[(),=|\]]|\s+as\b)")
"""A lock that is made or imported, or given to what will make it: `defaultdict(asyncio.Lock)`."""

_LOCKS = (b"Lock", b"Condition", b"Semaphore")
_TAKES = (b"async with", b".acquire()")
_HEADER_END = re.compile(rb":[ \t]*(?:#[^\n]*)?$", re.MULTILINE)
"""Where the header of a statement ends, or, if more follows on its line, that of one after it."""

_BEFORE = 200
"""How far before `.acquire()` the name of the lock begins, at most."""

_WORD = re.compile(rb"\w+")


def takes_locks(data: bytes) -> bool:
    """Whether a text may take a lock of asyncio."""
    return any_in(_TAKES, data) and any_in(_LOCKS, data)


def takes_enough_locks(data: bytes, least: int) -> bool:
    """Whether a text may take locks of asyncio in one place, or in two, or two of them in one."""
    said = _said(data)
    found = 0
    for taken, most in _takes(data) if said else ():
        if not said.isdisjoint(_WORD.findall(taken)):
            found += most
    return found >= least


def _takes(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The text in which locks are taken, or more than that, and how many at most, where two are many."""
    start = data.find(b"async with")
    while start >= 0:
        end = _HEADER_END.search(data, start)
        header = data[start : end.start() if end is not None else len(data)]
        yield header, 2 if b"," in header else 1
        start = data.find(b"async with", start + 1)
    start = data.find(b".acquire()")
    while start >= 0:
        yield data[max(0, start - _BEFORE) : start], 1
        start = data.find(b".acquire()", start + 1)


def _said(data: bytes) -> set[bytes]:
    """The words on lines that say `Lock` or the like: one of them is in the name of each lock."""
    found: set[bytes] = set()
    for key in _LOCKS:
        at = data.find(key)
        while at >= 0:
            end = data.find(b"\n", at)
            end = end if end >= 0 else len(data)
            line = data[data.rfind(b"\n", 0, at) + 1 : end]
            if _LOCK.search(line):
                found.update(_WORD.findall(line))
            at = data.find(key, end)
    return found - {name.encode() for name in NO_NAMES}


@dataclass(slots=True, eq=False)
class _Holding:
    """Where a function takes locks, and the names in each."""

    unit: Unit
    node: ast.AST
    locks: list[set[str]]

    @property
    def held(self) -> list[ast.AST]:
        """What runs while they are held, or more than that."""
        if not isinstance(self.node, ast.AsyncWith):
            return [self.unit.node]
        return [*self.node.items, *self.node.body]


def nests_locks(found: Units) -> bool:
    """Whether a lock may be taken that is held, or two locks one way here and the other way there."""
    said = {name.decode(errors="replace") for name in _said(found.data)}
    holdings = {
        id(node): _Holding(unit, node, locks)
        for unit in found.having(_TAKES)  # functions that stand in others come after them
        for node in walk(unit.node)
        if (locks := [one for one in map(_names, _taken(node)) if one & said])
    }
    calls = _Calls(found)
    orders = [order for one in holdings.values() for order in _orders(one, holdings, calls)]
    if not orders:
        return False
    same: dict[str, str] = {}
    for one in holdings.values():
        for names in one.locks:
            _join(same, names)
    if _has_ring(orders, same):
        return True
    for names in _handed_on(found.all[0].node):
        _join(same, names)
    return _has_ring(orders, same)


def _orders(
    holding: _Holding, holdings: dict[int, _Holding], calls: _Calls
) -> Iterator[tuple[set[str], set[str]]]:
    """The names of locks that are held, and of those that may be taken meanwhile."""
    yield from itertools.combinations(holding.locks, 2)
    inner = [one for part in holding.held for one in walk(part)]
    reached = calls.behind(inner, holding.unit)
    within = {id(one) for one in inner}
    for key, other in holdings.items():
        called = other.unit.name in reached and other.unit is not holding.unit
        if other is not holding and (called or key in within):
            yield from itertools.product(holding.locks, other.locks)


class _Calls:
    """Which coroutine functions call which, by their names."""

    def __init__(self, found: Units) -> None:
        self._functions: dict[str, list[Unit]] = {}
        for unit in found.all:
            if unit.is_async:
                self._functions.setdefault(unit.name.decode(), []).append(unit)
        self._called: dict[str, set[str]] = {}

    def behind(self, nodes: list[ast.AST], unit: Unit) -> set[bytes]:
        """The functions that the calls among some nodes of a function run, and those that these run."""
        pending = [*self._among(nodes), *self._among(defaults(unit.node))]
        reached = set(pending)
        while pending:
            name = pending.pop()
            if name not in self._called:
                bodies = [one for function in self._functions[name] for one in walk(function.node)]
                self._called[name] = self._among(bodies)
            pending.extend(self._called[name] - reached)
            reached |= self._called[name]
        return {name.encode() for name in reached}

    def _among(self, nodes: Sequence[ast.AST]) -> set[str]:
        """The names of coroutine functions that are called, or that a parameter stands for."""
        called = {own_name(one.func) for one in nodes if isinstance(one, ast.Call)}
        for one in nodes:
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                called.update(*map(mentioned, defaults(one)))
        return called & self._functions.keys()


def _taken(node: ast.AST) -> list[ast.expr]:
    """What an `async with` enters, or the lock of `await lock.acquire()`."""
    if isinstance(node, ast.AsyncWith):
        return [item.context_expr for item in node.items]
    call = node.value if isinstance(node, ast.Await) else None
    func = call.func if isinstance(call, ast.Call) else None
    return [func.value] if isinstance(func, ast.Attribute) and func.attr == "acquire" else []


def _names(node: ast.AST) -> set[str]:
    return mentioned(node) - NO_NAMES


def _handed_on(tree: ast.AST) -> Iterator[set[str]]:
    """The names that may stand for one object, since one is assigned from others: but not what is called."""
    for one in walk(tree):
        if isinstance(one, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and one.value is not None:
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            yield set().union(_sources(one.value), *map(_names, targets))
        elif isinstance(one, (ast.For, ast.AsyncFor, ast.comprehension)):
            yield _names(one.target) | _names(one.iter)
        elif isinstance(one, ast.Call) and last_name(one.func) in _KEEPS:
            yield set().union(*map(_names, (one.func, *one.args)))


_KEEPS = words.CONTAINER_ADDS | {"setdefault"}


def _sources(value: ast.expr) -> set[str]:
    """The names in a value without those of functions it calls; a method's object counts."""
    called = {last_name(one.func) for one in walk(value) if isinstance(one, ast.Call)}
    return _names(value) - called


def _join(same: dict[str, str], names: set[str]) -> None:
    """Let names stand for one object: each leads to another, and in the end to one of them."""
    first, *others = {_root(same, one) for one in names} or {""}
    same.update(dict.fromkeys(others, first))


def _root(same: dict[str, str], name: str) -> str:
    while name in same:
        name = same[name]
    return name


def _has_ring(orders: list[tuple[set[str], set[str]]], same: dict[str, str]) -> bool:
    """Whether a lock may be taken, by way of others, that is held."""
    after: dict[str, set[str]] = {}
    for held, taken in orders:
        after.setdefault(_root(same, min(held)), set()).add(_root(same, min(taken)))
    for start in after:
        pending, seen = [start], set()
        while pending:
            for one in after.get(pending.pop(), ()):
                if one == start:
                    return True
                if one not in seen:
                    seen.add(one)
                    pending.append(one)
    return False
