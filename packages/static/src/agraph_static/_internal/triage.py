"""Which files are worth a libcst tree. Every step may only let too much through, never too little.

First a test for byte strings in the file (`in`, some 600 MB/s; a regular expression reaches a tenth of
that). Then the
standard parser says where the functions are, and the same kind of test runs over the text of each function:
does it complete a future, or name a function that does? What is suspected is then read properly.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph_static._internal import vocabulary as words

if TYPE_CHECKING:
    from collections.abc import Iterable

_REGISTER = (b"add_done_callback", b"add_future")
_CHAIN = (b"chain_future",)
_MAKE = (b"create_future", b"Future(", b"Future[")
_SPAWN = tuple(name.encode() for name in sorted(words.TASK_METHODS))
_COMPLETE = (
    b"set_result",
    b"set_exception",
    b"chain_future",
    b"set_exc_info",
    b"unless_",
    b"_copy_future_state",
)
_WAKE = (b".set()", b".set,", b".set)", b"put_nowait", b".put(", b".put)", b".put,", b"release", b"notify")
_PRIMITIVES = (b"Event", b"Queue", b"Semaphore", b"Lock", b"Condition")
_EDGES = (b"future_add_to_awaited_by", b"future_discard_from_awaited_by")
_SUSPEND = (b"await", b"async with", b"async for")
_COROUTINES = (b"await", b"async ", b"coroutine", b"Future", b"future(", b"add_done_callback")
_ROUNDS = 2
"""How many calls away from a callback or a task's body a completion is followed, as in the rules."""


_LOCK_ROUNDS = 4
"""How many awaited calls away a second lock is looked for."""


def _any(keys: Iterable[bytes], data: bytes) -> bool:
    for key in keys:  # noqa: SIM110 - a generator costs more than the search
        if key in data:
            return True
    return False


def may_matter(data: bytes, wrappers: Iterable[str] = ()) -> bool:  # noqa: PLR0911 - one question after the other reads best
    """Whether a file can hold a finding, judged by its bytes.

    Args:
        data: The file.
        wrappers: Configured helper functions, any of whose names also lets a file through.
    """
    if not _any(_COROUTINES, data):
        return False
    if _any(_COMPLETE, data) and (_any(_MAKE, data) or _any(_SPAWN, data)):
        return True
    if _any(_REGISTER, data) and (_any(_COMPLETE, data) or _any(_WAKE, data)):
        return True
    if (
        (b"Event" in data and b".set()" in data and b".wait(" in data and b"await" in data)
        or _any(_CHAIN, data)
        or _any(_EDGES, data)
    ):
        return True
    if b"Lock" in data and b"async with" in data:
        return True
    if b"run_coroutine_threadsafe" in data and b".result(" in data and b"async def" in data:
        return True
    if (b"all_tasks" in data or b"current_task" in data) and b"await" in data and _awaits_itself(data):
        return True
    return _any([name.rpartition(".")[2].encode() for name in wrappers], data)


@dataclass(slots=True)
class Unit:
    """One function: its name and the bytes of its lines, nested functions included."""

    name: bytes
    is_async: bool
    text: bytes
    node: ast.AST
    _names: frozenset[bytes] | None = None

    @property
    def names(self) -> frozenset[bytes]:
        """The names in it that can be functions of the file, as the rules follow them.

        Those are plain names, attributes of `self`, `cls`, `super()` and of classes, and attributes of
        others when they are of more than one word.
        """
        if self._names is None:
            found = set()
            for head, attribute in _PATHS.findall(self.text):
                found.add(head)
                own = head in _OWN or head[:1].isupper()
                if attribute and (own or b"_" in attribute.strip(b"_")):
                    found.add(attribute)
            self._names = frozenset(found)
        return self._names


_PATHS = re.compile(rb"(?<![\w.])(?<!def )([A-Za-z_]\w*)(?:\(\))?(?:\s*\.\s*(\w+))?")
_OWN = frozenset({b"self", b"cls", b"super"})


def units(tree: ast.Module, data: bytes) -> list[Unit]:
    """Every function of a file. Statements outside functions are one more, without a name.

    Args:
        tree: The standard parser's tree of the file.
        data: The file in UTF-8, as parsed.
    """
    lines = data.splitlines(keepends=True) if b"\f" not in data and b"\x0b" not in data else data.split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = [Unit(b"", is_async=False, text=b"", node=tree)]
    outside: list[bytes] = []
    stack: list[tuple[ast.stmt, bool]] = [(node, False) for node in reversed(tree.body)]
    while stack:
        node, inside = stack.pop()
        text = data[starts[node.lineno - 1] : starts[min(node.end_lineno or node.lineno, len(lines))]]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(Unit(node.name.encode(), isinstance(node, ast.AsyncFunctionDef), text, node))
            if b"def " in text[text.find(b":") :]:
                stack.extend((one, True) for one in _statements(node) if isinstance(one, _COMPOUND))
        elif isinstance(node, _COMPOUND):
            stack.extend(
                (one, inside) for one in _statements(node) if inside is False or isinstance(one, _COMPOUND)
            )
        elif not inside:
            outside.append(text)
    found[0].text = b"".join(outside)
    return found


_COMPOUND = (
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
)


def _statements(node: ast.stmt) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for name in ("body", "orelse", "finalbody"):
        found.extend(getattr(node, name, ()))
    for name in ("handlers", "cases"):
        for part in getattr(node, name, ()):
            found.extend(part.body)
    return found


def is_candidate(
    tree: ast.Module, data: bytes, wrappers: Iterable[str] = (), *, every_lock: bool = False
) -> bool:
    """Whether a file can hold a finding, judged by its functions.

    Args:
        tree: The standard parser's tree.
        data: The file in UTF-8.
        wrappers: Configured helper functions; a file that uses one is always let through.
        every_lock: Let every file through that holds an asyncio lock.
    """
    if every_lock and b"Lock" in data and b"async with" in data:
        return True
    return bool(reasons(tree, data, wrappers))


def reasons(tree: ast.Module, data: bytes, wrappers: Iterable[str] = ()) -> list[str]:  # noqa: PLR0911 - one question after the other reads best
    """Why a file is a candidate, the first reason that is found; empty when it is none."""
    if _any(_EDGES, data) or _any([name.rpartition(".")[2].encode() for name in wrappers], data):
        return ["edges"]
    if b"run_coroutine_threadsafe" in data and b".result(" in data:
        return ["blocking"]
    if (b"all_tasks" in data or b"current_task" in data) and _awaits_itself(data):
        return ["itself"]
    found = units(tree, data)
    if _any(_CHAIN, data):
        return ["chain"]
    wake = _closure(found, (*_COMPLETE, *_WAKE) if _any(_PRIMITIVES, data) else _COMPLETE)
    if _has_bridge(found, wake):
        return ["bridge"]
    if _has_flight(found, _closure(found, _COMPLETE, rounds=0)):
        return ["flight"]
    if _has_spawn(found, _closure(found, _COMPLETE, rounds=0)) or _has_pair(data, found):
        return ["spawn"]
    return ["locks"] if b"Lock" in data and b"async with" in data and _nests_locks(found, data) else []


def _awaits_itself(data: bytes) -> bool:
    names = {
        b"all_tasks",
        b"current_task",
        *re.findall(rb"(\w+)\s*=\s*(?:\w+\.)*(?:all_tasks|current_task)\(", data),
    }
    joined = b"|".join(sorted(names))
    waits = (
        rb"(?:await\s+\(?|(?:gather|wait|wait_for|shield)\s*\(.{0,400}?)(?:\w+\.)*\b(?:" + joined + rb")\b"
    )
    return re.search(waits, data, re.DOTALL) is not None


@dataclass(slots=True)
class _Closure:
    """What does something directly, and the names of the functions that do, also through others."""

    direct: tuple[bytes, ...]
    names: frozenset[bytes]

    def reaches(self, unit: Unit) -> bool:
        """Whether a function does it, or names one that does."""
        return _any(self.direct, unit.text) or not self.names.isdisjoint(unit.names)


def _closure(found: list[Unit], direct: tuple[bytes, ...], rounds: int = _ROUNDS) -> _Closure:
    names = {unit.name for unit in found if unit.name and _any(direct, unit.text)}
    return _Closure(direct, frozenset(_reach(found, names, rounds)))


def _reach(found: list[Unit], names: set[bytes], rounds: int) -> set[bytes]:
    """The names, and those of the functions that call them, so many calls away."""
    names = set(names)
    for _ in range(rounds if names else 0):
        grown = {
            one.name
            for one in found
            if one.name and one.name not in names and not names.isdisjoint(one.names)
        }
        if not grown:
            break
        names |= grown
    return names


def _has_bridge(found: list[Unit], wake: _Closure) -> bool:
    for unit in found:
        if _any(_REGISTER, unit.text) and wake.reaches(unit) and _registers(unit.node, wake):
            return True
    return False


def _registers(node: ast.AST, wake: _Closure) -> bool:
    """Whether a callback that is registered below a node may wake somebody."""
    callbacks: list[ast.AST] = []
    assigned: dict[str, list[ast.AST]] = {}
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and _last_name(one.func) in _REGISTER_NAMES:
            callbacks.extend((*one.args, *(keyword.value for keyword in one.keywords)))
        elif isinstance(one, ast.Assign):
            for target in one.targets:
                assigned.setdefault(_last_name(target), []).append(one.value)
    seen: set[str] = set()
    while callbacks:
        for one in ast.walk(callbacks.pop()):
            name = _last_name(one)
            if name in _WAKE_NAMES or name.encode() in wake.names:
                return True
            if name and name not in seen:
                seen.add(name)
                callbacks.extend(assigned.get(name, ()))
    return False


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


_REGISTER_NAMES = {"add_done_callback", "future_add_done_callback", "add_future"}
_WAKE_NAMES = {
    *words.RESOLVE_METHODS,
    *words.HOPS,
    *(name.lstrip("*").rpartition(".")[2] for name in (*words.RESOLVERS, *words.CHAINERS)),
}


def _has_flight(found: list[Unit], near: _Closure) -> bool:
    texts: dict[bytes, bytes] = {}
    for unit in found:
        if unit.name in near.names:
            texts[unit.name] = texts.get(unit.name, b"") + unit.text
    for unit in found:
        if not unit.is_async or not _any(_SUSPEND, unit.text):
            continue
        future = _any(_MAKE, unit.text) and near.reaches(unit)
        event = b"Event" in unit.text and b".set()" in unit.text
        if (future or event) and _completes_own(unit.node, texts):
            return True
    return False


def _completes_own(node: ast.AST, near: dict[bytes, bytes]) -> bool:
    """Whether a function may complete what it makes: by itself, or in a function next to it.

    Args:
        node: The function.
        near: The text of the functions that complete something, by name.
    """
    names: set[str] = set()
    flows: list[tuple[set[str], set[str]]] = []
    calls: list[ast.Call] = []
    for one in ast.walk(node):
        if isinstance(one, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and one.value is not None:
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            written = set().union(*map(_mentioned, targets))
            flows.append((_mentioned(one.value), written))
            if isinstance(one.value, ast.Call) and _last_name(_unsubscripted(one.value.func)) in _MAKER_NAMES:
                names |= written
        elif isinstance(one, (ast.For, ast.AsyncFor)):
            flows.append((_mentioned(one.iter), _mentioned(one.target)))
        elif isinstance(one, ast.Call):
            calls.append(one)
            if isinstance(one.func, ast.Attribute):  # a container takes what is put into it
                flows.append((set().union(*map(_mentioned, one.args)), _mentioned(one.func.value)))
    names -= _NO_NAMES
    for _ in range(3):
        for read, written in flows:
            if read & names:
                names |= written - _NO_NAMES
    return any(_may_complete(call, names, near) for call in calls) if names else False


def _may_complete(call: ast.Call, names: set[str], near: dict[bytes, bytes]) -> bool:
    name = _last_name(call.func)
    if name in _WAKE_NAMES:
        return bool(_mentioned(call) & names)
    text = near.get(name.encode())
    if text is None:
        return False
    return bool(set().union(*map(_mentioned, call.args)) & names) or any(
        one.encode() in text for one in names
    )


def _mentioned(node: ast.AST) -> set[str]:
    """The names and attributes an expression holds."""
    return {name for one in ast.walk(node) if (name := _last_name(one))}


def _unsubscripted(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


_MAKER_NAMES = words.FUTURE_METHODS | {"Future", "Event", "_GatheringFuture"}
_NO_NAMES = frozenset({"self", "cls", "loop", "hass", "asyncio", "None"})


def _has_spawn(found: list[Unit], complete: _Closure) -> bool:
    spawned = {unit.name for unit in found if unit.is_async and unit.name in complete.names}
    return bool(spawned) and any(
        _any(_SPAWN, unit.text) and not spawned.isdisjoint(unit.names) for unit in found
    )


def _has_pair(data: bytes, found: list[Unit]) -> bool:
    """Whether a function may start a task and wait for what that task completes or sets."""
    made = _any(_MAKE, data)
    event = b"Event" in data and b".set()" in data
    if not (made or event):
        return False
    wake = _closure(found, (*(_COMPLETE if made else ()), *((b".set()",) if event else ())), rounds=1)
    spawned = {unit.name for unit in found if unit.is_async and unit.name in wake.names}
    return bool(spawned) and any(
        b"await" in unit.text
        and _any(_SPAWN, unit.text)
        and not spawned.isdisjoint(unit.names)
        and _starts(unit, {name.decode() for name in spawned})
        for unit in found
    )


def _starts(unit: Unit, spawned: set[str]) -> bool:
    """Whether a function makes a task of one of the functions and awaits something after it."""
    first, last = 0, -1
    for one in ast.walk(unit.node):
        if isinstance(one, ast.Await):
            last = max(last, one.lineno)
        elif isinstance(one, ast.Call) and _mentioned(one) & spawned:
            first = min(first or one.lineno, one.lineno)
    return 0 < first <= last


def _nests_locks(found: list[Unit], data: bytes) -> bool:
    """Whether a lock may be taken while one is held. A lock is what is named on a line that says `Lock`."""
    lines = {line for line in data.split(b"\n") if b"Lock" in line}
    said = {name.decode(errors="replace") for line in lines for name in re.findall(rb"\w+", line)} - _NO_NAMES
    holding = [
        (unit, node)
        for unit in found
        if b"async with" in unit.text
        for node in ast.walk(unit.node)
        if isinstance(node, ast.AsyncWith)
        and any(_mentioned(item.context_expr) & said for item in node.items)
    ]
    reached = {name.decode() for name in _reach(found, {unit.name for unit, _ in holding}, _LOCK_ROUNDS)}
    nodes = {id(node) for _, node in holding}
    for _, node in holding:
        if len(node.items) > 1:
            return True
        for inner in (one for statement in node.body for one in ast.walk(statement)):
            if id(inner) in nodes:
                return True
            call = inner.value if isinstance(inner, ast.Await) else None
            if isinstance(call, ast.Call) and _last_name(call.func) in reached:
                return True
    return False
