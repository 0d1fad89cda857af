"""What a loop itself is going to call: handles that are due, timers, descriptors and signals it watches.

A loop of asyncio has them in `_ready`, `_scheduled`, `_selector` (Lib/asyncio/base_events.py,
selector_events.py) and `_signal_handlers` (unix_events.py). Those of uvloop are members of a C class: what
the garbage collector visits shows them, to be told apart by their types (uvloop 0.22 and 0.23, loop.pyx).
What is not understood is left out, so somebody stays unknown.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
import types
import weakref
from asyncio import events, futures
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from agraph._internal.discover import uvloop_of
from agraph._internal.futures import instance_dict, is_task
from agraph._internal.instances import dict_of, name_of_type, values_in_class
from agraph._internal.kinds import is_kind_of, is_one_of, module_of, qualname_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

_Kind = Literal["ready", "timer", "io"]
_END_OF_SLEEP: Any = getattr(futures, "_set_result_unless_cancelled", None)
# Since 3.14 `call_soon_threadsafe` makes handles of a type of their own.
_THREAD_SAFE = getattr(events, "_ThreadSafeHandle", events.Handle)
_STOCK_HANDLES = (events.Handle, events.TimerHandle, _THREAD_SAFE)
# How many layers of protocols lie on each other: TLS over a proxy over TLS.
_LAYERS = 6


class Source(NamedTuple):
    """Something that the loop calls when its time or its data comes.

    Attributes:
        kind: `ready` for a handle that is due, `timer`, or `io` for a descriptor or a signal.
        owner: Its identity: a handle, or a transport.
        roots: The objects it calls, or calls with.
        when: The time of a timer, on the loop's clock.
        name: What a person calls it, such as `SIGTERM`.
        fd: The descriptor, where there is no transport to say it.
    """

    kind: _Kind
    owner: object
    roots: list[object]
    when: float | None = None
    name: str = ""
    fd: int | None = None


def sources_of(loop: object, futures_looked_for: Container[int]) -> Iterator[Source]:
    """What a loop is going to call.

    Args:
        loop: A loop of asyncio or uvloop; for any other there is nothing to say.
        futures_looked_for: The `id` of each future that matters, to pass over the timers of all others.

    Yields:
        Its sources; steps of tasks, and timeouts that end a task's wait, are left out.
    """
    if issubclass(type(loop), asyncio.BaseEventLoop):
        yield from _of_asyncio(instance_dict(loop, asyncio.BaseEventLoop), futures_looked_for)
    elif uvloop_of(loop) is not None:
        yield from _of_uvloop(loop)


def _of_asyncio(state: dict[str, Any], futures_looked_for: Container[int]) -> Iterator[Source]:
    for handle in list(state.get("_ready") or ()):
        yield from _called(handle, "ready")
    for handle in list(state.get("_scheduled") or ()):
        if not _ends_sleep(handle, futures_looked_for):
            yield from _called(handle, "timer")
    for signal, handle in list((state.get("_signal_handlers") or {}).items()):
        yield from _called(handle, "io", name=getattr(signal, "name", str(signal)))
    selector = state.get("_selector")
    if selector is None or not is_kind_of(type(selector), (selectors.BaseSelector,)):
        return
    keys = instance_dict(selector, selectors.BaseSelector).get("_fd_to_key")
    for key in list(keys.values()) if type(keys) is dict else ():
        for handle in key.data if type(key.data) is tuple else ():
            yield from _called(handle, "io", fd=key.fd)


def _ends_sleep(handle: Any, futures_looked_for: Container[int]) -> bool:  # noqa: ANN401 - a handle
    """Whether it ends a sleep that does not matter here: as many sleepers as there are have one each."""
    if type(handle) is not events.TimerHandle or handle._callback is not _END_OF_SLEEP:  # type: ignore[attr-defined]
        return False
    arguments = handle._args
    return bool(arguments) and id(arguments[0]) not in futures_looked_for


def _called(handle: Any, kind: _Kind, name: str = "", fd: int | None = None) -> Iterator[Source]:  # noqa: ANN401
    """The source that a handle of asyncio is."""
    if not is_one_of(type(handle), _STOCK_HANDLES) or handle._cancelled:
        return
    callback, arguments = handle._callback, handle._args or ()
    if _is_of_a_task(callback):
        return
    when = handle.when() if kind == "timer" else None
    transport = getattr(callback, "__self__", None) if type(callback) is types.MethodType else None
    if kind == "io" and issubclass(type(transport), asyncio.BaseTransport):
        yield Source(kind, transport, _behind_transport(transport))
    else:
        yield Source(kind, handle, [callback, *arguments], when, name, fd)


def _is_of_a_task(callback: object) -> bool:
    """Whether it is a step of a task, or a timeout that ends one."""
    kind = type(callback)
    if kind is types.MethodType:
        owner = callback.__self__  # type: ignore[attr-defined]
        return is_task(owner) or type(owner) is asyncio.Timeout
    return kind is types.BuiltinMethodType and is_task(callback.__self__)  # type: ignore[attr-defined]


def _behind_transport(transport: object) -> list[object]:
    """The protocols that a transport feeds, one on the other (Lib/asyncio/sslproto.py)."""
    found: list[object] = []
    protocol = (dict_of(transport) or {}).get("_protocol")
    for _ in range(_LAYERS):
        if protocol is None:
            break
        found += [protocol, *_closures_of_class(type(protocol))]
        protocol = (dict_of(protocol) or {}).get("_app_protocol")
    return found


def _closures_of_class(kind: type) -> list[object]:
    """The methods of a class that was made inside of a function and knows variables of it."""
    if "<locals>" not in qualname_of(kind):
        return []
    values = values_in_class(kind)
    return [value for value in values if type(value) is types.FunctionType and value.__closure__]


# ---- uvloop


def _of_uvloop(loop: object) -> Iterator[Source]:
    for member in gc.get_referents(loop):
        if type(member) is deque:
            yield from _called_by_uvloop(member, "ready")
        elif type(member) is set:
            yield from _called_by_uvloop(member, "timer")
            processes = [item for item in list(member) if _is_of_uvloop(item, "UVProcessTransport")]
            yield from (Source("io", process, gc.get_referents(process)) for process in processes)
        elif type(member) is dict:
            yield from _watched_by_uvloop(member)
        elif type(member) is weakref.WeakValueDictionary:
            # Its `data`, not a method: the loop may be half made by another thread, or half torn down.
            references = (dict_of(member) or {}).get("data")
            for reference in list(references.values()) if type(references) is dict else ():
                transport = reference() if type(reference) is weakref.KeyedRef else None
                if transport is not None:
                    yield Source("io", transport, gc.get_referents(transport))


def _watched_by_uvloop(members: dict[Any, object]) -> Iterator[Source]:
    """Signals with their handles, and descriptors with what polls them."""
    for key, value in list(members.items()):
        if _is_of_uvloop(value, "Handle"):
            yield from _called_by_uvloop((value,), "io", getattr(key, "name", str(key)))
        elif _is_of_uvloop(value, "UVPoll"):
            for source in _called_by_uvloop(gc.get_referents(value), "io"):
                yield source._replace(fd=key)


def _called_by_uvloop(handles: Iterable[Any], kind: _Kind, name: str = "") -> Iterator[Source]:
    timed = kind == "timer"
    for handle in list(handles):
        if _is_of_uvloop(handle, "TimerHandle" if timed else "Handle") and not handle.cancelled():
            yield Source(kind, handle, gc.get_referents(handle), handle.when() if timed else None, name)


def _is_of_uvloop(item: object, name: str) -> bool:
    kind = type(item)
    return name_of_type(kind) == name and module_of(kind).partition(".")[0] == "uvloop"
