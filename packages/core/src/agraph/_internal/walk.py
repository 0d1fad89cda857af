"""From an awaitable inwards: what it awaits, what that awaits, down to the future or iterator at the end.

Nothing of the application runs here. Objects are told apart by their exact type. Of types that this file does
not know only slots that C code defines are read (Cython's coroutines), through the type, never by `getattr`.
There is no recursion, and a chain costs time linear in its length.

A coroutine that is running has no `cr_await` (`_PyGen_yf` in CPython's Objects/genobject.c is NULL while the
frame executes): its chain ends with itself, and what it called is on the stack of the thread that runs it.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import types
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from agraph._internal.kinds import is_one_of, type_mro

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    Slot = Callable[[object], object]


class Link(NamedTuple):
    """One coroutine, generator or async generator of a chain.

    Attributes:
        owner: The coroutine, generator or async generator.
        frame: Its frame; None when it has finished.
    """

    owner: object
    frame: types.FrameType | None


class _IdleLoop:
    """As much of a loop as `Future.__init__` asks for."""

    def get_debug(self) -> bool:
        return False


def _helper_types() -> tuple[type, type, type, type]:
    """The types between coroutines that the interpreter gives no name: asend, athrow, anext, wrapper."""

    async def agen() -> AsyncGenerator[None, object]:
        yield None

    async def coro() -> None: ...

    # Without hooks: a loop that runs already would keep the first generator for its `shutdown_asyncgens`.
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        source, inner = agen(), coro()
        samples: list[Any] = [
            source.asend(None),
            source.athrow(GeneratorExit),
            anext(source, None),
            inner.__await__(),
        ]
    finally:
        sys.set_asyncgen_hooks(*hooks)
    for sample in samples:
        sample.close()  # unused ones warn that they were never awaited
    asend, athrow, default, wrapper = map(type, samples)
    return asend, athrow, default, wrapper


def _future_iterator() -> type | None:
    """What C futures return from `__await__`; None where asyncio has no C part."""
    c_future = getattr(asyncio.futures, "_CFuture", None)
    return None if c_future is None else type(c_future(loop=_IdleLoop()).__await__())


_AGEN_ASEND, _AGEN_ATHROW, _ANEXT_DEFAULT, _CORO_WRAPPER = _helper_types()
# The first referent is the awaited one: the traverse functions of Objects/genobject.c (ags_gen, agt_gen,
# cw_coroutine) and Objects/iterobject.c (wrapped) visit it first; a value sent or a default comes after it.
_FIRST_REFERENT = {*map(id, (_AGEN_ASEND, _AGEN_ATHROW, _ANEXT_DEFAULT, _CORO_WRAPPER))}
C_FUTURE_ITERATOR = _future_iterator()
# A pure-Python future awaits through this generator: it stands for the future as `FutureIter` for a C one.
_PY_FUTURE: type = asyncio.futures._PyFuture  # type: ignore[attr-defined]
_PY_FUTURE_AWAIT: types.CodeType = _PY_FUTURE.__await__.__code__  # type: ignore[attr-defined]
# `types.coroutine` puts this class around what is no builtin generator (Lib/types.py).
_GENERATOR_WRAPPER: type = types._GeneratorWrapper  # type: ignore[attr-defined]

_SLOT_NAMES = (("cr_frame", "cr_await"), ("ag_frame", "ag_await"), ("gi_frame", "gi_yieldfrom"))
_BUILTIN_SLOTS: dict[int, tuple[Slot, Slot]] = {  # by the `id` of the type
    id(kind): (kind.__dict__[frame].__get__, kind.__dict__[awaited].__get__)
    for kind, (frame, awaited) in zip(
        (types.CoroutineType, types.AsyncGeneratorType, types.GeneratorType), _SLOT_NAMES, strict=True
    )
}

_type_dict: Callable[[type], types.MappingProxyType[str, Any]] = type.__dict__["__dict__"].__get__
_type_name: Callable[[type], str] = type.__dict__["__name__"].__get__


def walk(awaitable: object) -> tuple[list[Link], object]:
    """Follow what an awaitable awaits.

    Args:
        awaitable: A coroutine, generator, async generator, or anything that one of them can await.

    Returns:
        The chain, outermost first, and what stands at its end: the iterator of a future (see `future_of`),
        any other object that is none of the above, or None when the last of the chain awaits nothing.
    """
    links: list[Link] = []
    add = links.append
    coroutine = types.CoroutineType
    current: Any = awaitable
    # Brent's cycle search: one comparison a step and no set, for chains that in practice have no cycle.
    checkpoint: object = None
    steps, next_checkpoint = 0, 64
    while current is not None:
        if type(current) is coroutine:
            add(Link(current, current.cr_frame))
            current = current.cr_await
        elif type(current) is C_FUTURE_ITERATOR:
            break
        else:
            link, following = _step(current)
            if link is not None:
                add(link)
            elif following is None:
                break
            current = following
        steps += 1
        if current is checkpoint and current is not None:
            return _without_repeats(links), None
        if steps == next_checkpoint:
            checkpoint, next_checkpoint = current, steps * 2
    return links, current


def chain(awaitable: object) -> list[Link]:
    """The coroutines, generators and async generators of `walk`, outermost first."""
    return walk(awaitable)[0]


def future_of(tail: object) -> object:
    """The future behind the iterator at the end of a chain.

    Args:
        tail: The second result of `walk`.

    Returns:
        The future; None when `tail` is not the iterator of an asyncio future, or is used up.
    """
    if type(tail) is C_FUTURE_ITERATOR:
        base: type = asyncio.futures._CFuture  # type: ignore[attr-defined]
    elif _is_py_future_iterator(tail):
        base = _PY_FUTURE
    else:
        return None
    return next((item for item in gc.get_referents(tail) if issubclass(type(item), base)), None)


def _step(current: object) -> tuple[Link | None, object]:
    """The link that `current` is, if it is one, and what it awaits."""
    kind = type(current)
    if id(kind) in _FIRST_REFERENT:
        return None, next(iter(gc.get_referents(current)), None)
    if kind is _GENERATOR_WRAPPER:
        return None, object.__getattribute__(current, "__dict__").get("_GeneratorWrapper__wrapped")
    if _is_py_future_iterator(current):
        return None, None
    slots = _BUILTIN_SLOTS.get(id(kind)) or _foreign_slots(kind)
    if slots is None:
        return None, _behind_foreign_wrapper(current, kind)
    frame, awaited = _read(slots[0], current), _read(slots[1], current)
    return Link(current, frame if type(frame) is types.FrameType else None), awaited


def _is_py_future_iterator(current: object) -> bool:
    return type(current) is types.GeneratorType and current.gi_code is _PY_FUTURE_AWAIT


def _foreign_slots(kind: type) -> tuple[Slot, Slot] | None:
    """How to read frame and awaited object of a coroutine type of C code; None when it is no such type."""
    for frame_name, await_name in _SLOT_NAMES:
        frame, awaited = _c_slot(kind, frame_name), _c_slot(kind, await_name)
        if frame is not None and awaited is not None:
            return frame, awaited
    return None


def _c_slot(kind: type, name: str) -> Slot | None:
    """The reader of a slot that C code defines; None for a property or anything else that is Python code."""
    for base in type_mro(kind):
        found = _type_dict(base).get(name)
        if found is not None:
            c_defined = is_one_of(type(found), (types.GetSetDescriptorType, types.MemberDescriptorType))
            return cast("Slot", found.__get__) if c_defined else None
    return None


def _behind_foreign_wrapper(current: object, kind: type) -> object:
    """The coroutine behind what Cython's coroutines return from `__await__`; None for any other object."""
    if _type_name(kind) != "coroutine_wrapper":
        return None
    return next((item for item in gc.get_referents(current) if _foreign_slots(type(item))), None)


def _read(slot: Slot, current: object) -> object:
    try:
        return slot(current)
    except AttributeError:  # an empty slot
        return None


def _without_repeats(links: list[Link]) -> list[Link]:
    unique: dict[int, Link] = {}
    for link in links:
        unique.setdefault(id(link.owner), link)
    return list(unique.values())
