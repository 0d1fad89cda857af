"""Home-made bridges: a future, event or queue that a done callback of another task or future completes.

asyncio does not know of them, so no edge leads from the one to the other. A callback that holds the resource,
in a closure, an argument or an attribute of its object, is taken to complete it. So is a task that somebody
declared, with `future_add_to_awaited_by`, to be what the waiter really waits for.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, NamedTuple

from agraph._internal.awaited_by import _meaning as _meaning_to_asyncio
from agraph._internal.awaited_by import awaited_by, declared
from agraph._internal.futures import callbacks_of, is_future, is_pending, is_task
from agraph._internal.leads import contents, named_globals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.leads import Leads
    from agraph._internal.task_rows import TaskFacts

_STEPS = 1


class _Meaning(NamedTuple):
    """What a callback leads to: resources that are looked for, and futures whose own callbacks lead on.

    The callback itself is kept, as it is known by its identity. `code` is what it runs, where that is Python.
    """

    callback: object
    resources: frozenset[int]
    futures: tuple[object, ...]
    code: types.CodeType | None


def bridges_by_callback(
    builder: Builder, futures: Iterable[tuple[int, object]], leads: Leads
) -> dict[tuple[int, int], types.CodeType | None]:
    """Find resources that the end of a task or future completes.

    Args:
        builder: The snapshot in the making.
        futures: The tasks and futures whose callbacks are looked at, each with the id of its node.
        leads: What looks for the resources.

    Returns:
        Pairs of the resource and of the one whose callback it is, each with the code of the callback that
        has the resource; None where that is not known.
    """
    found: dict[tuple[int, int], types.CodeType | None] = {}
    meanings: dict[tuple[int, int], _Meaning] = {}
    seen: set[tuple[int, int]] = set()
    ahead = list(futures)
    while ahead:
        number, future = ahead.pop()
        for callback, _context in callbacks_of(future):
            if type(callback) is types.BuiltinMethodType and is_task(callback.__self__):
                continue  # it wakes a task
            meaning = _meaning(callback, leads, meanings)
            for resource in meaning.resources:
                if resource != number:
                    found.setdefault((resource, number), meaning.code)
            for further in meaning.futures:
                known = builder.known(further)
                step = number if known is None else known, id(further)
                if step not in seen:
                    seen.add(step)
                    ahead.append((step[0], further))
    return found


def _meaning(callback: object, leads: Leads, meanings: dict[tuple[int, int], _Meaning]) -> _Meaning:
    """What a callback leads to; each only once, as all children of a `gather` share one."""
    key = identity_of(callback)
    meaning = meanings.get(key)
    if meaning is None:
        of_asyncio = _meaning_to_asyncio(callback)
        if (
            of_asyncio is not None
        ):  # those of a `gather` know all its children: only what they complete counts
            items, steps = list(of_asyncio.via), 0
        else:
            items, steps = operands_of(callback), _STEPS
        # A task is asked for its own callbacks anyway.
        futures = [item for item in items if is_future(item) and not is_task(item) and is_pending(item)]
        code = None if of_asyncio is not None else code_of(callback)
        meaning = meanings[key] = _Meaning(callback, frozenset(leads.of(items, steps)), tuple(futures), code)
    return meaning


def code_of(callback: object) -> types.CodeType | None:
    """What a callback runs, without what wraps it."""
    while True:
        if type(callback) is functools.partial:
            callback = callback.func
        elif type(callback) is types.MethodType:
            callback = callback.__func__
        else:
            return callback.__code__ if type(callback) is types.FunctionType else None


def identity_of(callback: object) -> tuple[int, int]:
    if type(callback) is types.MethodType:  # each time a new object
        return id(callback.__func__), id(callback.__self__)
    return id(callback), 0


def operands_of(callback: object) -> list[object]:
    """The objects that a callback works with: closure, globals, arguments, the object it is a method of."""
    found: list[object] = []
    ahead: list[object] = [callback]
    for item in ahead:
        if type(item) is types.MethodType or type(item) is types.BuiltinMethodType:
            found.append(item.__self__)
        elif type(item) is types.FunctionType:
            found += contents(item.__closure__ or ())
            found += item.__defaults__ or ()
            found += named_globals(item.__code__, item.__globals__)
        elif type(item) is functools.partial:
            found += [*item.args, *item.keywords.values()]
            ahead.append(item.func)
        elif item is callback:
            found.append(item)
    return found


def bridges_by_declaration(
    facts: Iterable[TaskFacts], waiters: Mapping[int, set[int]]
) -> Iterator[tuple[int, int]]:
    """Find what the waiters of plain futures are declared to wait for.

    Args:
        facts: All tasks.
        waiters: By the id of a plain future, the ids of the tasks that wait for it.

    Yields:
        Pairs of the plain future and of the task that its waiter is declared to wait for.
    """
    futures: dict[int, list[int]] = {}
    for future, tasks in waiters.items():
        for task in tasks:
            futures.setdefault(task, []).append(future)
    numbers = {id(fact.task): fact.number for fact in facts if fact.number in futures}
    for fact in facts:
        if any(id(waiter) in numbers for waiter in declared(fact.task)):
            # asyncio's own declarations are set aside where its callbacks tell more.
            for waiter in awaited_by(fact.task):
                for future in futures.get(numbers.get(id(waiter), -1), ()):
                    yield future, fact.number
