"""Small programs that hang, or do not: what they wait for is told in golden texts, line numbers included."""

import asyncio


async def transfer(own, other, both_hold):
    async with own:
        await both_hold.wait()
        async with other:
            pass


async def opposite_order():
    own, other, both_hold = asyncio.Lock(), asyncio.Lock(), asyncio.Barrier(2)
    alice = asyncio.create_task(transfer(own, other, both_hold), name="alice")
    bob = asyncio.create_task(transfer(other, own, both_hold), name="bob")
    await asyncio.gather(alice, bob)


async def under_a_timeout():
    async with asyncio.timeout(3600):
        await opposite_order()


async def never_set():
    await asyncio.Event().wait()


async def sleeper():
    await asyncio.sleep(3600)
