"""An application for a server with several workers: `uvicorn shop:app`. Two routes take two locks in different orders."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

stock, orders = asyncio.Lock(), asyncio.Lock()


async def both_taken():
    while not (stock.locked() and orders.locked()):
        await asyncio.sleep(0.01)


async def buy(_request):
    async with stock:
        await both_taken()
        async with orders:
            return PlainTextResponse("bought")


async def cancel(_request):
    async with orders:
        await both_taken()
        async with stock:
            return PlainTextResponse("cancelled")


app = Starlette(routes=[Route("/buy", buy), Route("/cancel", cancel)])
