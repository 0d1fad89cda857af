"""Nobody is proved to be stuck whom somebody alive can free, by whatever way he reaches what frees him.

Each of these hands an event to somebody who sets it as soon as the test says so; before that, `main`, which
waits for it, must not be called certain; afterwards it must end, or there was nobody.
"""

import asyncio
import collections
import contextlib
import contextvars
import ctypes
import dataclasses
import functools
import gc
import itertools
import operator
import os
import threading
import types
import weakref

import pytest
from proving import BACKGROUND, GO, running, start, told

KEPT = {}
VARIABLE = contextvars.ContextVar("VARIABLE")


class Holder:
    def __init__(self, event):
        self.event = event


class Slotted:
    __slots__ = ("event",)

    def __init__(self, event):
        self.event = event


@dataclasses.dataclass(frozen=True)
class Frozen:
    event: asyncio.Event


def later(get, held):
    """A live task that holds something, and gets at the event by it once it is told to."""

    async def lives():
        await told()
        get(held).set()

    start(lives())


# ---- a live task that holds it, in a thing of whatever type


def in_generator(event):
    def holds():
        yield
        yield event

    found = holds()
    next(found)
    return found


def in_exception(event):
    return ValueError(event)


def in_traceback(event):
    def fails():
        kept = event
        raise ValueError(id(kept))

    try:
        fails()
    except ValueError as error:
        return error


def in_cache(event):
    @functools.lru_cache
    def cached(_key):
        return KEPT.pop("cached")

    KEPT["cached"] = event
    cached(1)
    return cached


def cell_of(event):
    return (lambda: event).__closure__[0]


def py_pointer(event):
    return ctypes.pointer(ctypes.py_object(event))


def in_tee(event):
    first, second = itertools.tee(iter([event]))
    next(first)
    return second


def frame_of_traceback(error):
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_locals["kept"]


IN_THINGS = {
    "variable": (lambda e: e, lambda held: held),
    "instance": (Holder, lambda held: held.event),
    "slots": (Slotted, lambda held: held.event),
    "dataclass": (Frozen, lambda held: held.event),
    "namespace": (lambda e: types.SimpleNamespace(e=e), lambda held: held.e),
    "deep": (lambda e: [{"a": (Holder([e]),)}], lambda held: held[0]["a"][0].event[0]),
    "tuple": (lambda e: (e,), lambda held: held[0]),
    "deque": (lambda e: collections.deque([e]), lambda held: held[0]),
    "frozenset": (lambda e: frozenset([e]), lambda held: next(iter(held))),
    "proxy": (lambda e: types.MappingProxyType({1: e}), lambda held: held[1]),
    "bound method": (lambda e: e.set, lambda held: held.__self__),
    "bound builtin": (lambda e: [e].pop, lambda held: held()),
    "partial": (lambda e: functools.partial(max, e), lambda held: held.args[0]),
    "lambda": (lambda e: lambda: e, lambda held: held()),
    "default": (lambda e: lambda x=e: x, lambda held: held()),
    "cell": (cell_of, lambda held: held.cell_contents),
    "cache": (in_cache, lambda held: held(1)),
    "cycle": (lambda e: itertools.cycle([e]), next),
    "repeat": (itertools.repeat, next),
    "chain": (lambda e: itertools.chain([e]), next),
    "tee": (in_tee, next),
    "map": (lambda e: map(operator.itemgetter(0), [[e]]), next),
    "iterator": (lambda e: iter((e,)), next),
    "generator": (in_generator, next),
    "exception": (in_exception, lambda held: held.args[0]),
    "traceback": (in_traceback, frame_of_traceback),
    "context": (lambda e: contextvars.Context(), lambda held: held[VARIABLE]),
    "ctypes object": (ctypes.py_object, lambda held: held.value),
    "ctypes pointer": (py_pointer, lambda held: held.contents.value),
    "ctypes array": (lambda e: (ctypes.py_object * 2)(e, e), lambda held: held[0]),
    "weakref": (weakref.ref, lambda held: held()),
    "weakref with callback": (lambda e: weakref.ref(e, print), lambda held: held()),
    "weak proxy": (weakref.proxy, lambda held: held),
    "weak method": (lambda e: weakref.WeakMethod(e.set), lambda held: held().__self__),
    "weak set": (lambda e: weakref.WeakSet([e]), lambda held: next(iter(held))),
    "weak values": (lambda e: weakref.WeakValueDictionary({1: e}), lambda held: held[1]),
    "weak keys": (lambda e: weakref.WeakKeyDictionary({e: 1}), lambda held: next(iter(held))),
    "type": (lambda e: type("Own", (), {"event": e}), lambda held: held.event),
    "module": (lambda e: vars(m := types.ModuleType("m")).update(e=e) or m, lambda held: held.e),
}


@pytest.mark.parametrize("way", IN_THINGS)
def test_held_by_a_live_task(way):
    make, get = IN_THINGS[way]

    async def main():
        event = asyncio.Event()
        held = make(event)
        if way == "context":
            held.run(VARIABLE.set, event)
        later(get, held)
        del held
        await event.wait()

    assert_not_proved(main)


# ---- held by other parties


async def by_global(event):
    KEPT["event"] = event

    async def lives():
        await told()
        KEPT.pop("event").set()

    start(lives())


async def by_closure(event):
    async def lives():
        await told()
        event.set()

    start(lives())


async def by_context(event):
    VARIABLE.set(event)

    async def lives():
        await told()
        VARIABLE.get().set()

    start(lives())


async def by_async_generator(event):
    async def generates():
        yield
        event.set()

    async def lives(generator):
        await told()
        await anext(generator, None)

    generator = generates()
    await anext(generator)
    start(lives(generator))


async def by_thread(event):
    loop = asyncio.get_running_loop()

    def waits():
        GO.wait()
        loop.call_soon_threadsafe(event.set)

    threading.Thread(target=waits, daemon=True).start()


async def by_value_stack_of_a_thread(event):
    loop = asyncio.get_running_loop()
    box = [event.set]
    del event
    started = threading.Event()

    def waits():
        def pause():
            started.set()
            GO.wait()

        loop.call_soon_threadsafe(box.pop(), *[pause()][:0])

    threading.Thread(target=waits, daemon=True).start()
    while not started.is_set():
        await asyncio.sleep(0.001)


async def by_executor(event):
    loop = asyncio.get_running_loop()

    def waits():
        GO.wait()
        loop.call_soon_threadsafe(event.set)

    BACKGROUND.add(loop.run_in_executor(None, waits))


async def by_timer(event):
    def again():
        if GO.is_set():
            event.set()
        else:
            asyncio.get_running_loop().call_later(0.005, again)

    again()


async def by_reader(event):
    loop = asyncio.get_running_loop()
    readable, writable = os.pipe()

    def read():
        loop.remove_reader(readable)
        os.close(readable)
        event.set()

    loop.add_reader(readable, read)
    threading.Thread(target=lambda: (GO.wait(), os.close(writable)), daemon=True).start()


async def by_callback(event):
    start(told()).add_done_callback(lambda _task: event.set())


async def by_queue_of_another(event):
    box = asyncio.Queue()
    box.put_nowait(event)

    async def lives(box):
        await told()
        (await box.get()).set()

    start(lives(box))


async def by_its_waiters(event):
    async def lives(waiters):
        await told()
        waiters[0].set_result(True)

    start(lives(event._waiters))


async def by_future(event):
    async def lives(event):
        while not event._waiters:
            await asyncio.sleep(0.001)
        waiter = event._waiters[0]
        KEPT["taken"] = True
        del event
        await told()
        waiter.set_result(True)

    start(lives(event))


class Named(asyncio.Task):
    """A task with attributes."""


async def by_attribute_of_a_stuck_task(event):
    async def sticks():
        await asyncio.get_running_loop().create_future()

    stuck = Named(sticks(), loop=asyncio.get_running_loop(), name="stuck")
    stuck.event = event

    async def lives():
        await told()
        stuck.event.set()
        stuck.cancel()

    start(lives())
    return stuck


async def by_context_of_a_stuck_task(event):
    async def sticks():
        VARIABLE.set(event)
        await asyncio.get_running_loop().create_future()

    stuck = asyncio.get_running_loop().create_task(sticks(), name="stuck")

    async def lives():
        await told()
        stuck.get_context()[VARIABLE].set()
        stuck.cancel()

    start(lives())
    return stuck


async def by_weakref_to_what_main_holds(event):
    holder = Holder(event)
    later(lambda held: held().event, weakref.ref(holder))
    return holder


async def by_finalizer_of_something(event):
    thing = Holder(None)
    weakref.finalize(thing, event.set)

    async def lives(thing):
        await told()
        del thing

    start(lives(thing))


async def by_garbage(event):
    class Dies(Holder):
        def __del__(self):
            self.event.set()

    thing = Dies(event)
    thing.itself = thing
    start(collects())


async def by_garbage_generator(event):
    def holds(box):
        try:
            yield
        finally:
            event.set()

    box = []
    generator = holds(box)
    box.append(generator)
    next(generator)
    start(collects())


async def by_forgotten_task(event):
    """What nobody refers to is collected, stuck or not, and its `finally` runs."""

    async def forgotten():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            event.set()

    asyncio.get_running_loop().create_task(forgotten())
    start(collects())


async def by_task_that_is_going_to_be_forgotten(event):
    async def forgotten():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            event.set()

    async def lives(task):
        await told()
        del task
        gc.collect()

    start(lives(asyncio.get_running_loop().create_task(forgotten())))


async def collects():
    await told()
    gc.collect()


async def by_failing_sibling(event):
    """The group cancels the one that would otherwise hold it for ever."""

    async def fails():
        await told()
        raise ZeroDivisionError

    async def holds():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            event.set()

    async def parent():
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
                group.create_task(holds())

    return start(parent(), "parent")


async def by_timeout_of_the_other(event):
    async def holds():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                start(ends(limit))
                await asyncio.get_running_loop().create_future()
        event.set()

    async def ends(limit):
        await told()
        limit.reschedule(asyncio.get_running_loop().time())

    return asyncio.get_running_loop().create_task(holds())


BY_PARTIES = [function for name, function in list(globals().items()) if name.startswith("by_")]


if not hasattr(asyncio.Task, "get_context"):  # up to 3.11 nobody gets at it
    BY_PARTIES.remove(by_context_of_a_stuck_task)


@pytest.mark.parametrize("party", BY_PARTIES, ids=lambda function: function.__name__)
def test_held_by_somebody_alive(party):
    async def main():
        event = asyncio.Event()
        kept = await party(event)
        await event.wait()
        del kept

    assert_not_proved(main)


def assert_not_proved(main):
    """That `main` is not called certain, and does end once the others are told to go on."""
    was_enabled = gc.isenabled()
    gc.disable()  # what is garbage stays until somebody is told to collect it
    try:
        with running(main) as program:
            for _ in range(3):
                assert program.proof()[1]["main"] != "certain"
            GO.set()
            program.join()
    finally:
        KEPT.clear()
        if was_enabled:
            gc.enable()
