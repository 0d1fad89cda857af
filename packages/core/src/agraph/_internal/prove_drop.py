"""What happens when a stuck task is let go of by somebody alive who holds it, such as a list of tasks.

It is collected then, which closes its coroutine: what it waits for stays as it is, and those who wait for it
wait on. Only code that runs meanwhile could free others: a `finally` or `__aexit__` of its frames, and the
finalizers of what nobody else has.
"""

from __future__ import annotations

import _weakrefset
import asyncio
import types
import weakref
from typing import TYPE_CHECKING, Any

from agraph._internal.futures import PY_FUTURE, PY_TASK, coroutine_of, is_task
from agraph._internal.kinds import is_one_of, type_mro
from agraph._internal.walk import _type_dict, chain
from agraph._internal.withs import cleans_up

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from agraph._internal.prove_heap import Heap
    from agraph._internal.walk import Link

# When these are closed they only take their own future out of what they wait for. `Condition.wait` does more:
# it notifies another waiter (since 3.13, Lib/asyncio/locks.py).
_HARMLESS = frozenset(
    function.__code__
    for function in (
        asyncio.Event.wait,
        asyncio.Lock.acquire,
        asyncio.Semaphore.acquire,
        asyncio.Queue.get,
        asyncio.Queue.put,
        asyncio.Queue.join,
        asyncio.wait,
        asyncio.wait_for,
        getattr(asyncio.tasks, "_wait", asyncio.wait),
    )
)
_GENERATORS = (types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType)
_FORGETTING = (weakref.__file__, _weakrefset.__file__)
_LOGS_ONLY = (PY_FUTURE, PY_TASK)


def freeing(heap: Heap, tasks: Iterable[object], wanted: Mapping[int, Collection[int]]) -> set[int]:
    """The stuck tasks that may free others once nobody holds them any more.

    Args:
        heap: What the tasks lead to.
        tasks: The tasks.
        wanted: By the `id` of what can be waited for, the `id` of each task that does.

    Returns:
        The `id` of each task such that closing it runs code of the program that can get at what others wait
        for, or calls somebody.
    """
    links = {id(task): chain(coroutine_of(task)) for task in tasks}
    if heap.exhausted:
        return set(links)
    own = {id(link.owner): task for task, several in links.items() for link in several}
    cleaning = {task for task, several in links.items() if not several or any(map(_cleans_up, several))}
    finalized, watched = {}, {}
    for thing in heap.things():
        if _finalizes(thing):
            finalized[id(thing)] = (own.get(id(thing), id(thing)),)
        if _is_watched(thing):
            watched[id(thing)] = (id(thing),)
    finalizes, shares, calls = map(heap.leading_to, (finalized, wanted, watched))
    return {
        task
        for task in links
        if task in calls
        or ((task in cleaning or finalizes.get(task, set()) - {task}) and shares.get(task, set()) - {task})
    }


def _cleans_up(link: Link) -> bool:
    """Whether closing a frame of a task runs code of the program."""
    if type(link.owner) is not types.CoroutineType or link.frame is None:
        return True
    code = link.frame.f_code
    return code not in _HARMLESS and cleans_up(code, link.frame.f_lasti)


def _is_watched(thing: object) -> bool:
    """Whether somebody is called when an object goes; weak sets and dictionaries only forget it."""
    return not is_task(thing) and any(_calls_somebody(reference) for reference in weakref.getweakrefs(thing))


def _calls_somebody(reference: Any) -> bool:  # noqa: ANN401 - a weak reference or a proxy
    if not issubclass(type(reference), weakref.ref):
        return True  # a proxy does not tell its callback, but asks the object
    callback = _callback_of(reference)
    if callback is None:
        return False
    forgets = type(callback) is types.FunctionType and callback.__code__.co_filename in _FORGETTING
    return not forgets or type(reference) is weakref.WeakMethod


_callback_of: Callable[[Any], object] = weakref.ref.__dict__["__callback__"].__get__


def _finalizes(thing: object) -> bool:
    """Whether something runs when an object goes: code of a generator, a callback, or `__del__`."""
    kind = type(thing)
    if is_one_of(kind, _GENERATORS):
        return True
    if kind is weakref.ref:
        return _callback_of(thing) is not None
    found = (
        base
        for base in type_mro(kind)
        if type(_type_dict(base).get("__del__")) is types.FunctionType and not is_one_of(base, _LOGS_ONLY)
    )
    return next(found, None) is not None
