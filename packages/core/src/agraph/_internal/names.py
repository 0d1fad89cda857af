"""A name that a person recognises for each lock, queue, event and future that somebody waits for.

Objects have no names; variables, attributes and items of containers do. So the frames of the tasks that wait
for an object or hold it are searched for the way in which their source code gets at it.
"""

from __future__ import annotations

import asyncio
import os
import types
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.instances import dict_of
from agraph._internal.reach import Search, Way, is_of_the_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph._internal.builder import Builder
    from agraph._internal.holders import Standing
    from agraph._internal.resources import Resources
    from agraph._internal.task_rows import Facts, TaskFacts

_KINDS = frozenset({"lock", "semaphore", "event", "condition", "queue", "barrier"})
# A name helps a person, who reads a few of them: these bounds hold the search to some 20 ms.
_CONSIDERED, _TARGETS, _FUTURES = 1_000, 400, 100
_NEAR = 3
_FRAMES_OF_A_TASK = 6
_FRAMES, _OBJECTS = 1_500, 40_000
_STACKS, _MODULES = 100, 50

# How well a name tells what it is: the best of those that are the same for all tasks, the others of these, a
# variable of one task, a parameter that may be anything.
_BEST, _SHARED, _VARIABLE, _PARAMETER = range(4)
_OWN = str(Path(__file__).parent.parent) + os.sep
_LIBRARY = str(Path(asyncio.__file__).parent.parent)


class _Target(NamedTuple):
    """An object to be named.

    Attributes:
        owner: The object.
        parts: The nodes it has (a queue one for each end), each with the end of its name.
        near: The ids of some tasks that wait for it or hold it.
        options: Names by how well they tell what it is.
    """

    owner: object
    parts: list[tuple[int, str]]
    near: list[int]
    options: dict[str, int]


def name_resources(builder: Builder, resources: Resources, facts: Facts) -> list[str]:
    """Give names to what is waited for, as far as frames have names for it.

    Args:
        builder: The snapshot in the making.
        resources: What is waited for, by node.
        facts: What is known of each task, by ascending number.

    Returns:
        A sentence about those that were left out, if there are any.
    """
    wanted = _Wanted(resources)
    targets = _targets(builder, resources, wanted)
    if targets:
        _search(builder, targets, facts)
        _name(builder, targets)
    if not wanted.passed_over:
        return []
    those = f"{wanted.passed_over:,} of {wanted.total:,}"
    return [f"names of {those} locks, queues, futures and the like: too many"]


def _search(builder: Builder, targets: dict[int, _Target], facts: Facts) -> None:
    """Find names: near the object first, further off only where that leaves a doubt."""
    modules: dict[int, dict[str, object]] = {}
    search = Search(set(targets), _OBJECTS)
    frames = _FRAMES
    for target in targets.values():
        for fact in _facts_of(facts, target.near):
            if frames <= 0 or _BEST in target.options.values():
                break
            for standing in _own_frames(fact):
                frames -= 1
                _note(targets, search.from_frame(standing.owner, standing.frame))
                modules.setdefault(id(standing.frame.f_globals), standing.frame.f_globals)
    for namespace in list(modules.values())[:_MODULES]:
        _note(targets, search.from_module(namespace))
    unclear = _unclear(targets)
    if unclear:
        _look_further(builder, targets, unclear, facts, modules)


def _targets(builder: Builder, resources: Resources, wanted: _Wanted) -> dict[int, _Target]:
    """The objects to be named, those first that many wait for."""
    near = _near(builder, resources, wanted)
    targets: dict[int, _Target] = {}
    for number in sorted(near, key=lambda number: (number in resources.plain, -len(near[number]))):
        node = builder.nodes[number]
        if node is None or node.name:
            continue
        part = resources.waited.get(number)
        owner = resources.plain[number] if part is None else part.owner
        if len(targets) >= _TARGETS and id(owner) not in targets:
            wanted.passed_over += 1
            continue
        target = targets.setdefault(id(owner), _Target(owner, [], [], {}))
        target.parts.append((number, f".{part.operation}()" if part and part.operation else ""))
        target.near.extend(near[number])
    return targets


def _near(builder: Builder, resources: Resources, is_wanted: _Wanted) -> dict[int, list[int]]:
    """Nodes to be named, each with some nodes that wait for it or hold it."""
    waiters, holders = builder.waiters, builder.holders
    known = resources.waited.keys() | resources.plain.keys()  # of all that is waited for most are tasks
    numbers = [number for number in {**waiters, **holders} if number in known and is_wanted(number)]
    return {number: waiters.get(number, [])[:_NEAR] + holders.get(number, [])[:_NEAR] for number in numbers}


class _Wanted:
    """Whether a node is one to be named; of very many of a sort only the first that are asked for.

    Attributes:
        total: How many of those asked for are of a kind that has names.
        passed_over: How many of these are not to be named, as there are too many.
    """

    def __init__(self, resources: Resources) -> None:
        self.total = self.passed_over = 0
        self._resources = resources
        self._left = {"lock": _CONSIDERED, "other": _CONSIDERED, "future": _FUTURES}

    def __call__(self, number: int) -> bool:
        part = self._resources.waited.get(number)
        if part is None:
            sort = "future" if number in self._resources.plain else ""
        elif part.kind in ("lock", "semaphore"):
            sort = "lock"
        else:
            sort = "other" if part.kind in _KINDS else ""
        if not sort:
            return False
        self.total += 1
        if not self._left[sort]:
            self.passed_over += 1
            return False
        self._left[sort] -= 1
        return True


def _facts_of(facts: Facts, numbers: list[int]) -> Iterator[TaskFacts]:
    for number in numbers:
        position = bisect_left(facts.numbers, number)
        if position < len(facts) and facts.numbers[position] == number:
            yield facts[position]


def _own_frames(fact: TaskFacts) -> list[Standing]:
    """The innermost frames of a task that are not of the standard library."""
    own = [standing for standing in reversed(fact.stack) if not is_library(standing.frame.f_code)]
    return own[:_FRAMES_OF_A_TASK]


def is_library(code: types.CodeType) -> bool:
    """Whether a function is one of the standard library."""
    file = code.co_filename
    return file.startswith(_LIBRARY) and "-packages" not in file


def _note(targets: dict[int, _Target], ways: Iterable[Way]) -> None:
    for way in ways:
        options = targets[id(way.target)].options
        for name, rank in _options(way):
            options[name] = min(rank, options.get(name, rank))


def _options(way: Way) -> list[tuple[str, int]]:
    """The names that a way gives, the best first."""
    rank = _PARAMETER if way.parameter else _VARIABLE
    if not way.short:
        by_item = any(step[0] == "[" for step in way.steps)
        return [(way.text, _BEST if by_item or way.shared else rank)]
    # `accounts[2].lock` tells more than `Account.lock`, but `pool._locks[2]` no more than `Pool._locks[2]`.
    if way.text.count("[") > way.short.count("["):
        return [(way.text, _BEST), (way.short, _SHARED)]
    return [(way.short, _BEST), (way.text, _SHARED if way.shared else rank)]


def _unclear(targets: dict[int, _Target]) -> set[int]:
    """Those without a name, or with none that is theirs alone."""
    counts = _counts(targets)
    return {key for key, target in targets.items() if _clear_name(target, counts) is None}


def _counts(targets: dict[int, _Target]) -> Counter[str]:
    return Counter(name for target in targets.values() for name in target.options)


def _clear_name(target: _Target, counts: Counter[str]) -> str | None:
    """The best name that no other has; parameters do not count, theirs differ from call to call."""
    clear = [
        (rank, name) for name, rank in target.options.items() if counts[name] == 1 and rank != _PARAMETER
    ]
    return min(clear, key=lambda pair: (pair[0], len(pair[1]), pair[1]), default=(0, None))[1]


def _look_further(
    builder: Builder,
    targets: dict[int, _Target],
    unclear: set[int],
    facts: Facts,
    modules: dict[int, dict[str, object]],
) -> None:
    """Search one task of each stack, and the modules that theirs have imported."""
    search = Search(unclear, _OBJECTS)
    seen: set[int | None] = set()
    for position, number in enumerate(facts.numbers):
        node = builder.nodes[number]
        if node is None or node.stack in seen:
            continue
        seen.add(node.stack)
        if len(seen) > _STACKS:
            break
        for standing in _own_frames(facts[position]):
            search.forget()
            _note(targets, search.from_frame(standing.owner, standing.frame))
            modules.setdefault(id(standing.frame.f_globals), standing.frame.f_globals)
    search.forget()
    for namespace in [*modules.values(), *_imported(modules)][:_MODULES]:
        _note(targets, search.from_module(namespace))


def _imported(modules: dict[int, dict[str, object]]) -> list[dict[str, object]]:
    """The namespaces of modules that other modules have as variables."""
    found: dict[int, dict[str, object]] = {}
    for namespace in modules.values():
        for value in list(dict.values(namespace)):
            if type(value) is types.ModuleType and not is_of_the_library(value):
                inner = dict_of(value)
                if inner is not None and not _is_own(inner):
                    found.setdefault(id(inner), inner)
    return [namespace for key, namespace in found.items() if key not in modules]


def _is_own(namespace: dict[str, object]) -> bool:
    file = namespace.get("__file__")
    return type(file) is str and file.startswith(_OWN)


def _name(builder: Builder, targets: dict[int, _Target]) -> None:
    """Put the names into the rows; those that several share are numbered."""
    counts = _counts(targets)
    chosen = {
        key: _clear_name(target, counts)
        or min(target.options, key=lambda name: (target.options[name], counts[name], len(name), name))
        for key, target in targets.items()
        if target.options
    }
    shared = Counter(chosen.values())
    numbers: Counter[str] = Counter()
    for key, name in sorted(chosen.items(), key=lambda pair: targets[pair[0]].parts[0]):
        numbers[name] += 1
        alone = f"{name} #{numbers[name]}" if shared[name] > 1 else name
        for number, end in targets[key].parts:
            builder.change(number, name=alone + end)
