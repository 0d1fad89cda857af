"""Which files are worth a libcst tree. Every step may only let too much through, never too little.

First a test for byte strings in the file (`in`, some 600 MB/s; a regular expression reaches a tenth of that).
Then the standard parser says where the functions are, and the same kind of test runs over the text of each
function: does it complete a future, or name a function that does? What is suspected is then read properly.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from agraph_static._internal import vocabulary as words
from agraph_static._internal.lock_triage import nests_locks, takes_enough_locks, takes_locks
from agraph_static._internal.nodes import (
    NO_NAMES,
    code_of,
    hands_parameter_to,
    is_taken_up,
    last_name,
    mentioned,
    own_names,
    unsubscripted,
    walk,
)
from agraph_static._internal.units import ROUNDS, Closure, Unit, Units, any_in, closure, present, reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_REGISTER = (b"add_done_callback", b"add_future")
_CHAIN = (b"chain_future",)
_MAKE = (b"create_future", b"Future(", b"Future[")
_SPAWN = tuple(
    # with one that is a part of others, the others need not be looked for
    name.encode()
    for name in sorted(words.TASK_METHODS, key=len)
    if not any(other in name for other in words.TASK_METHODS - {name})
)
_PLAIN = (b"set_result", b"set_exc", b"unless_", b" notify(")
_COMPLETE = (*_PLAIN, b"chain_future", b"_copy_future_state")
_WAKES: dict[str, tuple[bytes, ...]] = {
    # what is woken -> how
    "event": (b".set()", b".set,", b".set)"),
    "queue": (b"put_nowait", b".put(", b".put)", b".put,"),
    "semaphore": (b"release",),
    "condition": (b"notify",),
}
_WAKE = tuple(key for keys in _WAKES.values() for key in keys)
_EDGES = (b"future_add_to_awaited_by", b"future_discard_from_awaited_by")
_HANDS_ON = (b"await", b"return ")
_BLOCK = (b".result(", b".exception(")
_SUSPEND = (b"await", b"async with", b"async for")
_COROUTINES = (b"await", b"async ", b"coroutine", b"Future", b"future(", b"add_done_callback")


def may_matter(data: bytes, wrappers: Iterable[str] = (), *, every_lock: bool = False) -> bool:
    """Whether a file can hold a finding, judged by its bytes.

    Args:
        data: The file.
        wrappers: Configured helper functions, any of whose names also lets a file through.
        every_lock: Let every file through that takes an asyncio lock, not only one that takes two.
    """
    if any_in([name.rpartition(".")[2].encode() for name in wrappers], data):
        return any_in(_COROUTINES, data)
    return _says_enough(data) and _makes_enough(data, every_lock=every_lock)


def _says_enough(data: bytes) -> bool:
    """The fast part of the test, which most files fail."""
    if not any_in(_COROUTINES, data):
        return False
    future = b"_future" in data  # a part of several words
    complete = any_in(_COMPLETE if future else _PLAIN, data)
    if complete and (any_in(_MAKE, data) or any_in(_SPAWN, data)):
        return True
    if any_in(_REGISTER if future else _REGISTER[:1], data) and (complete or any_in(_WAKE, data)):
        return True
    if (
        (b"Event" in data and b".set()" in data and b".wait(" in data and b"await" in data)
        or (future and any_in(_CHAIN, data))
        or (b"_awaited_by" in data and any_in(_EDGES, data))
        or takes_locks(data)
    ):
        return True
    if b"run_coroutine_threadsafe" in data and any_in(_BLOCK, data) and b"async def" in data:
        return True
    return (b"all_tasks" in data or b"current_task" in data) and b"await" in data and _awaits_itself(data)


def _makes_enough(data: bytes, *, every_lock: bool) -> bool:  # noqa: PLR0911 - one question after the other reads best
    """What `reasons` asks of a file before it asks what its functions hold."""
    if any_in((*_EDGES, *_CHAIN), data) or (b"run_coroutine_threadsafe" in data and any_in(_BLOCK, data)):
        return True
    kinds = _kinds_made(data)
    complete = any_in(_COMPLETE, data)
    event = "event" in kinds and b".set" in data
    if any_in(_REGISTER, data) and (complete or any(any_in(_WAKES.get(one, ()), data) for one in kinds)):
        return True
    if any_in(_REGISTER, data) and "lock" in kinds and any_in(_WAKES["semaphore"], data):
        return True
    if (event or (complete and any_in(_MAKE, data))) and any_in(_SUSPEND, data):
        return True
    if (event or complete) and any_in(_SPAWN, data):
        return True
    if takes_locks(data) and takes_enough_locks(data, 1 if every_lock else 2):
        return True
    return (b"all_tasks" in data or b"current_task" in data) and _awaits_itself(data)


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
    if every_lock and takes_locks(data):
        return True
    return bool(reasons(tree, data, wrappers))


def reasons(tree: ast.Module, data: bytes, wrappers: Iterable[str] = ()) -> list[str]:  # noqa: PLR0911 - one question after the other reads best
    """Why a file is a candidate, the first reason that is found; empty when it is none."""
    if any_in(_EDGES, data) or any_in([name.rpartition(".")[2].encode() for name in wrappers], data):
        return ["edges"]
    if b"run_coroutine_threadsafe" in data and any_in(_BLOCK, data):
        return ["blocking"]
    found = Units(tree, data)
    if any_in(_CHAIN, data):
        return ["chain"]
    kinds = _kinds_made(data)
    if any_in(_REGISTER, data) and _has_bridge(found, kinds):
        return ["bridge"]
    complete = closure(found, _COMPLETE, rounds=0)
    if _has_flight(found, complete, data, kinds):
        return ["flight"]
    if _has_spawn(found, complete, data, kinds) or _has_pair(data, found, kinds):
        return ["spawn"]
    if (b"all_tasks" in data or b"current_task" in data) and _awaits_itself(data) and _awaits_own(tree):
        return ["itself"]
    return ["locks"] if takes_locks(data) and nests_locks(found) else []


def _awaits_itself(data: bytes) -> bool:
    if b"all_tasks(" in data:
        return True  # rare, and taken into lists and loops in too many ways
    names = {b"all_tasks", b"current_task"}
    for found in re.finditer(rb"(?:all_tasks|current_task)\(", data):
        before = _ASSIGNED.search(data, max(0, found.start() - _BEFORE), found.start())
        if before is not None:
            names.add(before[1])
    for found in re.finditer(rb"\b(?:" + b"|".join(sorted(names)) + rb")\b", data):
        if _WAITED.search(data, max(0, found.start() - _BEFORE), found.start()) is not None:
            return True
    return False


def _awaits_own(tree: ast.Module) -> bool:
    """Whether a function awaits what it got from `current_task` or `all_tasks`."""
    for function in walk(tree):
        if not isinstance(function, ast.AsyncFunctionDef):
            continue
        nodes = list(walk(function))
        flows = [
            (mentioned(one.value), _stored(one))
            for one in nodes
            if isinstance(one, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and one.value is not None
        ]
        flows += [(mentioned(one.iter), mentioned(one.target)) for one in nodes if isinstance(one, ast.For)]
        own = set(_OWN_TASKS)
        while any(read & own and not written <= own for read, written in flows):
            own.update(*(written for read, written in flows if read & own))
        if any(isinstance(one, ast.Await) and mentioned(one.value) & own for one in nodes):
            return True
    return False


def _stored(node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> set[str]:
    """The variables that an assignment binds."""
    below = [one for target in _targets(node) for one in walk(target)]
    return {one.id for one in below if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _targets(node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


_OWN_TASKS = frozenset({"all_tasks", "current_task"})
_ASSIGNED = re.compile(rb"(?<!\w)(\w+)\s*=\s*(?:\w+\.)*\Z")
_WAITED = re.compile(rb"(?:await\s+\(?|(?:gather|wait|wait_for|shield)\s*\(.{0,400}?)(?:\w+\.)*\Z", re.DOTALL)
_BEFORE = 500
"""How far before a name it is looked for what it is assigned to, or what waits for it."""


@lru_cache(maxsize=1)
def _kinds_made(data: bytes) -> frozenset[str]:
    """Which kinds of asyncio's primitives a file may make, as `Origins.of_call` knows them."""
    imports = b"\n".join(_imports(data))
    modules = {b"asyncio", b"locks", b"queues", *_ALIAS.findall(imports)}
    imported = b" ".join(_IMPORTED.findall(imports))
    kinds = {
        kind
        for name, kind in _PRIMITIVES.items()
        if name in data and (name in imported or not modules.isdisjoint(_owners(name, data)))
    }
    if "event" not in kinds and b"Event" in data and b".set" in data and b"asyncio" in imports:
        kinds.update("event" for one in _IMPORT.findall(data) if _EVENT.search(one))  # handed on, perhaps
    return frozenset(kinds)


def _owners(name: bytes, data: bytes) -> Iterator[bytes]:
    """The words before the dots before a name. A regular expression for both takes ten times as long."""
    dot = data.find(b"." + name)
    while dot >= 0:
        owner = _LAST_WORD.search(data, max(0, dot - _BEFORE), dot)
        if owner is not None:
            yield owner[0]
        dot = data.find(b"." + name, dot + 1)


_LAST_WORD = re.compile(rb"(?<!\w)\w+\Z")
_PRIMITIVES = {name.rpartition(".")[2].encode(): kind for name, kind in words.PRIMITIVES.items()}
_IMPORT = re.compile(rb"import\b(?:\s*\([^)#]*(?:#[^\n]*[^)#]*)*|[^\n\\]*(?:\\\r?\n[^\n\\]*)*)")
_ALIAS = re.compile(rb"\b(?:asyncio|locks|queues)\s+as\s+(\w+)")
_EVENT = re.compile(rb"\bEvent\b")
_IMPORTED = re.compile(rb"\b(?:asyncio|locks|queues)\s+import\b([^;]*)")


def _imports(data: bytes) -> Iterator[bytes]:
    """The import statements that name a module that asyncio's primitives come from."""
    for found in _IMPORT.finditer(data):
        statement = data[data.rfind(b"\n", 0, found.start()) + 1 : found.end()]
        if b"asyncio" in statement or b"locks" in statement or b"queues" in statement:
            yield statement


def _has_bridge(found: Units, kinds: frozenset[str]) -> bool:
    woken = kinds | {"semaphore"} if "lock" in kinds else kinds
    keys = [key for kind, ways in _WAKES.items() if kind in woken for key in ways]
    wake = closure(found, (*_COMPLETE, *keys))
    names = _COMPLETE_NAMES.union(name for name, kind in words.HOPS.items() if kind in woken)
    for unit in found.having(_REGISTER):
        if wake.reaches(unit) and _registers(unit.node, wake, names):
            return True
        if unit.name and hands_parameter_to(unit.node, _REGISTER_NAMES):
            giving = (one for one in found.having((unit.name,)) if one is not unit)
            if any(one.names_any({unit.name}) and wake.reaches(one) for one in giving):
                return True
    return False


def _registers(node: ast.AST, wake: Closure, names: frozenset[str]) -> bool:
    """Whether a callback that is registered below a node may wake somebody, by one of these names."""
    callbacks: list[ast.AST] = []
    assigned: dict[str, list[ast.AST]] = {}
    for one in walk(node):
        if isinstance(one, ast.Call) and last_name(one.func) in _REGISTER_NAMES:
            callbacks.extend((*one.args, *(keyword.value for keyword in one.keywords)))
        elif isinstance(one, ast.Assign):
            for target in one.targets:
                assigned.setdefault(last_name(target), []).append(one.value)
    seen: set[str] = set()
    while callbacks:
        callback = callbacks.pop()
        if any(name.encode() in wake.names for name in own_names(callback)):
            return True
        for one in walk(callback):
            name = last_name(one)
            if name in names:
                return True
            if name and name not in seen:
                seen.add(name)
                callbacks.extend(assigned.get(name, ()))
    return False


_REGISTER_NAMES = {"add_done_callback", "future_add_done_callback", "add_future"}
_COMPLETE_NAMES = frozenset(
    {
        *words.RESOLVE_METHODS,
        *(name.lstrip("*").rpartition(".")[2] for name in (*words.RESOLVERS, *words.CHAINERS)),
    }
)
_WAKE_NAMES = _COMPLETE_NAMES | words.HOPS.keys()


def _has_flight(found: Units, near: Closure, data: bytes, kinds: frozenset[str]) -> bool:
    make = present(_MAKE, data)
    events = "event" in kinds
    if not make and not events:
        return False
    texts: dict[bytes, bytes] = {}
    for unit in found.all:
        if unit.name in near.names:
            texts[unit.name] = texts.get(unit.name, b"") + unit.text
    for unit in found.having((*near.direct, *near.names, *((b".set()",) if events else ()))):
        if not unit.is_async or not any_in(_SUSPEND, unit.text):
            continue
        future = any_in(make, unit.text) and near.reaches(unit)
        event = events and b".set()" in unit.text
        if (future or event) and _completes_own(unit.node, texts):
            return True
        if _takes_up(unit, near, events=events):
            return True
    return False


def _takes_up(unit: Unit, near: Closure, *, events: bool) -> bool:
    """Whether a function may clear an event, raise a flag or begin a list, wait, and then wake others."""
    text = unit.text
    event = events and b".set()" in text and (b".clear()" in text or (b".wait()" in text and b"True" in text))
    raised = b"True" in text and b"return" in text and near.reaches(unit)
    begun = b"for " in text and any_in(_EMPTY, text) and near.reaches(unit)
    if not event and not begun and not raised:
        return False
    nodes = [one for one, own in code_of(unit.node) if own]
    taken = event or raised
    starts = [_place(one) for one in nodes if (taken and is_taken_up(one)) or (begun and _begins(one))]
    first = min(starts, default=None)
    waits = [_place(one) for one in nodes if isinstance(one, (ast.Await, ast.AsyncWith, ast.AsyncFor))]
    waited = min((one for one in waits if first is not None and one > first), default=None)
    names = {*_WAKE_NAMES, *(name.decode() for name in near.names)}
    return waited is not None and any(
        isinstance(one, ast.Call) and _place(one) > waited and last_name(one.func) in names for one in nodes
    )


def _begins(node: ast.AST) -> bool:
    """`self.waiters = []`, or another empty container."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or isinstance(_targets(node)[0], ast.Name):
        return False
    value = node.value
    if isinstance(value, ast.Call):
        return not value.args and last_name(value.func) in _CONTAINERS
    return isinstance(value, (ast.List, ast.Dict)) and not (
        value.elts if isinstance(value, ast.List) else value.keys
    )


_EMPTY = (b"[]", b"{}", b"list()", b"set()", b"dict()", b"deque()")
_CONTAINERS = frozenset({"list", "set", "dict", "deque"})


def _completes_own(node: ast.AST, near: dict[bytes, bytes]) -> bool:
    """Whether a function may make something, be suspended, and then complete it.

    It completes it itself, or in a function next to it.

    Args:
        node: The function.
        near: The text of the functions that complete something, by name.
    """
    seen = _Flow()
    for one, own in code_of(node):
        seen.see(one, own=own)
    made = seen.made
    first = min((one for one in seen.suspended if made is not None and one > made), default=None)
    names = seen.names - NO_NAMES
    if not names or first is None:
        return False
    for _ in range(3):
        for read, written in seen.flows:
            if read & names:
                names |= written - NO_NAMES
    return any(_place(call) > first and _may_complete(call, names, near) for call in seen.calls)


class _Flow:
    """What a function makes, what it hands on under which names, what it calls, and where it waits."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.flows: list[tuple[set[str], set[str]]] = []
        self.calls: list[ast.Call] = []
        self.suspended: list[tuple[int, int]] = []
        self.made: tuple[int, int] | None = None

    def see(self, one: ast.AST, *, own: bool) -> None:
        """Look at one node; `own` unless it stands in a function inside."""
        if isinstance(one, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            if one.value is not None:
                self._assigned(one.value, set().union(*map(mentioned, _targets(one))), own=own)
        elif isinstance(one, ast.Call):
            if own:
                self.calls.append(one)
            if isinstance(one.func, ast.Attribute):  # a container takes what is put into it
                self.flows.append((set().union(*map(mentioned, one.args)), mentioned(one.func.value)))
        elif isinstance(one, (ast.For, ast.AsyncFor)):
            self.flows.append((mentioned(one.iter), mentioned(one.target)))
        if own and isinstance(one, (ast.Await, ast.AsyncWith, ast.AsyncFor)):
            self.suspended.append(_place(one))

    def _assigned(self, value: ast.expr, written: set[str], *, own: bool) -> None:
        self.flows.append((mentioned(value), written))
        for item in _items(value):
            if isinstance(item, ast.Call) and last_name(unsubscripted(item.func)) in _MAKER_NAMES:
                self.names |= written
                if own:
                    self.made = min(self.made or _place(item), _place(item))


def _items(value: ast.expr) -> list[ast.expr]:
    """The parts of a tuple, which are assigned one by one, or the value itself."""
    return value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]


def _place(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _may_complete(call: ast.Call, names: set[str], near: dict[bytes, bytes]) -> bool:
    name = last_name(call.func)
    if name in _WAKE_NAMES:
        return bool(mentioned(call) & names)
    text = near.get(name.encode())
    if text is None:
        return False
    return bool(set().union(*map(mentioned, call.args)) & names) or any(one.encode() in text for one in names)


_MAKER_NAMES = words.FUTURE_METHODS | {"Future", "Event", "_GatheringFuture"}


def _has_spawn(found: Units, complete: Closure, data: bytes, kinds: frozenset[str]) -> bool:
    """Whether a task may be started that completes a future or sets an event, itself or by what it calls."""
    spawn = present(_SPAWN, data)
    if not spawn:
        return False
    names = reach(found, set(complete.names), ROUNDS)
    if "event" in kinds and b".wait(" in data:
        names |= closure(found, _WAKES["event"]).names
    spawned = {unit.name for unit in found.all if unit.is_async and unit.name in names}
    starters = [unit for unit in found.having(spawn) if unit.names_any(spawned)]
    bodies = {name.decode() for name in spawned}
    return any(_spawns(unit.node, bodies, found.all[0].node) for unit in starters if unit.name != b"__del__")


def _spawns(node: ast.AST, bodies: set[str], tree: ast.AST) -> bool:
    """Whether a call that may make a task is given one of these coroutines, or a variable for it."""
    given: set[str] = set()
    for one in walk(node):
        name = last_name(one.func) if isinstance(one, ast.Call) else ""
        spawner = name in _SPAWNERS or name.startswith("create_task_")
        if isinstance(one, ast.Call) and (spawner or _is_scheduled(one)):
            for argument in (*one.args, *(keyword.value for keyword in one.keywords)):
                given |= own_names(argument)
    if given & bodies:
        return True
    return bool(given) and any(
        given & mentioned(target) and own_names(one.value) & bodies
        for one in walk(tree)
        if isinstance(one, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and one.value is not None
        for target in _targets(one)
    )


def _is_scheduled(call: ast.Call) -> bool:
    """`loop.call_soon(loop.create_task, work())`."""
    return any(last_name(one) in _SPAWNERS for one in call.args)


_SPAWNERS = words.TASK_METHODS | {name.rpartition(".")[2] for name in words.TASK_FUNCTIONS}


def _has_pair(data: bytes, found: Units, kinds: frozenset[str]) -> bool:
    """Whether a function may start a task and wait for what that task completes or sets."""
    made = any_in(_MAKE, data)
    event = "event" in kinds and any_in(_WAKES["event"], data)
    if not (made or event):
        return False
    spawn = present(_SPAWN, data)
    if not spawn:
        return False
    wake = closure(found, (*(_COMPLETE if made else ()), *(_WAKES["event"] if event else ())))
    spawned = {unit.name for unit in found.all if unit.is_async and unit.name in wake.names}
    return bool(spawned) and any(
        any_in(_HANDS_ON, unit.text)
        and unit.names_any(spawned)
        and _starts(unit, {name.decode() for name in spawned})
        for unit in found.having(spawn)
    )


def _starts(unit: Unit, spawned: set[str]) -> bool:
    """Whether a function makes a task of one of the functions, and awaits or returns something after it."""
    first, last = 0, -1
    for one in walk(unit.node):
        if isinstance(one, ast.Await) or (isinstance(one, ast.Return) and one.value is not None):
            last = max(last, one.lineno)
        elif isinstance(one, ast.Call) and mentioned(one) & spawned:
            first = min(first or one.lineno, one.lineno)
    return 0 < first <= last
