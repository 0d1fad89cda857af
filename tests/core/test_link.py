"""`agraph.link`: a wait declared for the length of a block."""

import asyncio
import gc
import weakref

import pytest
from live import directly, end, forever, parked, start
from snapshots import run

import agraph
from agraph._internal.awaited_by import declared


def test_the_declaration_lasts_as_long_as_the_block():
    async def main():
        inner = start(forever(), "inner")
        me = asyncio.current_task()
        with agraph.link(inner, me):
            inside = list(declared(inner))
        after = list(declared(inner))
        await end(inner)
        assert (inside, after) == ([me], [])

    run(main())


def test_it_is_taken_back_when_the_block_fails():
    async def main():
        inner = start(forever(), "inner")
        with pytest.raises(ZeroDivisionError), agraph.link(inner, asyncio.current_task()):
            raise ZeroDivisionError
        assert not declared(inner)
        await end(inner)

    run(main())


def test_no_waiter_is_no_declaration():
    async def main():
        inner = start(forever(), "inner")
        with agraph.link(inner, None):
            assert not declared(inner)
        await end(inner)

    run(main())


def test_a_linked_wait_is_followed_in_the_graph():
    async def main():
        inner = start(forever(), "inner")
        response = asyncio.get_running_loop().create_future()

        async def asks():
            with agraph.link(inner, asyncio.current_task()):
                await response

        waiter = start(asks(), "waiter")
        await parked(waiter, inner)
        text = agraph.format_call_graph(inner)
        snapshot = agraph.capture()
        await end(waiter, inner)
        return text, snapshot

    text, snapshot = run(main())
    assert "waiter" in text
    names = {node.id: node.name for node in snapshot.nodes}
    edges = {(e.kind, e.confidence) for e in snapshot.edges if names[e.awaited] == "inner"}
    assert edges == {("bridge", "probable"), ("structural", "exact")}


def test_nothing_is_kept_alive():
    async def main():
        inner, waiter = start(directly(start(forever()))), start(forever())
        refs = weakref.ref(inner), weakref.ref(waiter)
        with agraph.link(inner, waiter):
            pass
        await end(inner, waiter)
        del inner, waiter
        return refs

    refs = run(main())
    gc.collect()
    assert [ref() for ref in refs] == [None, None]
