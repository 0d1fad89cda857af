"""Waits that somebody declares: a set, weak, and only of asyncio's own futures."""

import asyncio
import functools
import gc
import threading
import weakref

import pytest
from live import directly, end, forever, parked, start

from agraph._internal import awaited_by as awaited_by_module
from agraph._internal import record
from agraph._internal.awaited_by import awaited_by

RECORDS = {
    "public": (
        awaited_by_module.future_add_to_awaited_by,
        awaited_by_module.future_discard_from_awaited_by,
        awaited_by_module.declared,
    ),
    "own": (record.future_add_to_awaited_by, record.future_discard_from_awaited_by, record.declared),
}


@pytest.fixture(params=RECORDS)
def functions(request):
    """To add, discard and read: the functions of this version, and those for versions below 3.14."""
    return RECORDS[request.param]


@pytest.fixture(params=["_CFuture", "_PyFuture"])
def make(request):
    """Makes futures, of C or Python, of a loop that is never run."""
    loop = asyncio.new_event_loop()
    yield functools.partial(getattr(asyncio.futures, request.param), loop=loop)
    loop.close()


def is_ignored_by_asyncio(functions, make):
    """asyncio has one function for futures of C and one for those of Python, and its public one is that of C."""
    is_own = functions[0] is record.future_add_to_awaited_by
    return not is_own and make.func is asyncio.futures._PyFuture


def test_declaration_is_a_set(functions, make):
    if is_ignored_by_asyncio(functions, make):
        pytest.skip("asyncio's C function ignores Python futures")
    add, discard, declared = functions
    future, waiter, other = make(), make(), make()
    add(future, waiter)
    add(future, waiter)
    add(future, other)
    assert set(declared(future)) == {waiter, other}
    assert set(awaited_by(future)) <= {waiter, other}
    discard(future, waiter)
    assert list(declared(future)) == [other]
    discard(future, waiter)
    discard(future, other)
    assert list(declared(future)) == []
    discard(waiter, future)
    add(future, future)
    assert list(declared(future)) == [future]
    discard(future, future)


def test_foreign_arguments_are_ignored(functions, make):
    class Duck:
        _asyncio_future_blocking = False

        def __getattr__(self, name):
            raise AssertionError(name)

        @property
        def __class__(self):
            raise AssertionError

    add, discard, declared = functions
    future = make()
    for foreign in (None, 1, "future", Duck(), Duck, object(), asyncio.Future):
        add(future, foreign)
        add(foreign, future)
        add(foreign, foreign)
        discard(future, foreign)
        discard(foreign, future)
    assert list(declared(future)) == []


def test_arguments_are_positional(functions, make):
    with pytest.raises(TypeError):
        functions[0](fut=make(), waiter=make())


def test_own_record_joins_c_and_python_futures():
    loop = asyncio.new_event_loop()
    future, waiter = asyncio.futures._CFuture(loop=loop), asyncio.futures._PyFuture(loop=loop)
    record.future_add_to_awaited_by(future, waiter)
    record.future_add_to_awaited_by(waiter, future)
    assert record.declared(future) == [waiter]
    assert record.declared(waiter) == [future]
    loop.close()


def test_own_record_keeps_nothing_alive(make):
    gc.collect()
    entries = len(record._record)
    future, waiter = make(), make()
    references = weakref.ref(future), weakref.ref(waiter)
    record.future_add_to_awaited_by(future, waiter)
    del waiter
    assert references[1]() is None
    assert record.declared(future) == []
    record.future_add_to_awaited_by(future, future)
    del future
    assert references[0]() is None
    assert len(record._record) == entries


def test_own_record_keeps_no_cycle_alive(make):
    gc.collect()
    entries = len(record._record)
    one, two = make(), make()
    record.future_add_to_awaited_by(one, two)
    record.future_add_to_awaited_by(two, one)
    one.add_done_callback(lambda _, own=two: own)
    two.add_done_callback(lambda _, own=one: own)
    references = weakref.ref(one), weakref.ref(two)
    del one, two
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert len(record._record) == entries


@pytest.mark.parametrize("base", ["_CFuture", "_PyFuture"])
def test_own_record_of_subclasses(base):
    class Slotted(getattr(asyncio.futures, base)):
        __slots__ = ()

    class Unhashable(getattr(asyncio.futures, base)):
        __hash__ = None

        def __eq__(self, other):
            raise AssertionError

    loop = asyncio.new_event_loop()
    for kind in (Slotted, Unhashable):
        future, waiter = kind(loop=loop), kind(loop=loop)
        record.future_add_to_awaited_by(future, waiter)
        (found,) = record.declared(future)
        assert found is waiter
        record.future_discard_from_awaited_by(future, waiter)
        assert record.declared(future) == []
    loop.close()


def test_own_record_from_many_threads(make):
    future = make()
    waiters = [make() for _ in range(400)]
    ready = threading.Barrier(4)

    def work(part):
        ready.wait()
        for waiter in part:
            record.future_add_to_awaited_by(future, waiter)
            record.declared(future)
            gc.collect(0)
        for waiter in part[::2]:
            record.future_discard_from_awaited_by(future, waiter)

    threads = [threading.Thread(target=work, args=(waiters[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = {id(waiter) for i in range(4) for waiter in waiters[i::4][1::2]}
    assert {id(waiter) for waiter in record.declared(future)} == left


def test_declared_waiter_is_found_beside_the_others():
    # What a home-made bridge does: the wait of `bridged` leads nowhere in asyncio's own state.
    async def main():
        loop = asyncio.get_running_loop()
        future, bridge = loop.create_future(), loop.create_future()
        bridged, direct = start(directly(bridge)), start(directly(future))
        await parked(bridged, direct)
        awaited_by_module.future_add_to_awaited_by(future, bridged)
        assert set(awaited_by(future)) == {bridged, direct}
        awaited_by_module.future_discard_from_awaited_by(future, bridged)
        assert awaited_by(future) == [direct]
        await end(bridged, direct)

    asyncio.run(main())


def test_declared_waiter_of_a_gather_waits_for_its_children():
    async def main():
        loop = asyncio.get_running_loop()
        child, bridge = start(forever()), loop.create_future()
        gathered, bridged = asyncio.gather(child), start(directly(bridge))
        await parked(child, bridged)
        awaited_by_module.future_add_to_awaited_by(gathered, bridged)
        assert awaited_by(child) == [bridged]
        await end(bridged)
        child.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathered

    asyncio.run(main())
