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


def frees_others(task: object, led_to: Iterable[object], wanted: Mapping[int, Collection[int]]) -> bool:
    """Whether somebody else might go on once nobody holds a stuck task any more.

    Args:
        task: The task.
        led_to: What its frames lead to.
        wanted: By the `id` of what can be waited for, the `id` of each task that does.

    Returns:
        Whether closing it runs code of the program, and that code can get at what others wait for.
    """
    links = chain(coroutine_of(task))
    own = {id(link.owner) for link in links}
    cleans = any(
        type(link.owner) is not types.CoroutineType
        or link.frame is None
        or (link.frame.f_code not in _HARMLESS and cleans_up(link.frame.f_code, link.frame.f_lasti))
        for link in links
    )
    shares = False
    for thing in led_to:
        shares = shares or any(other != id(task) for other in wanted.get(id(thing), ()))
        cleans = cleans or (id(thing) not in own and _finalizes(thing))
        if (cleans and shares) or _is_watched(thing):
            return True
    return False


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
