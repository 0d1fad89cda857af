"""Two services that book in each other's ledger, each while it holds its own lock: `ledgers.py PORT OTHERS_PORT`.

The headers of W3C Trace Context go along, as the instrumentation of OpenTelemetry for these libraries sends them.
It takes its own lock, writes `ready`, and sends its request once it has read a line.
"""

import asyncio
import sys

import httpx
import uvicorn
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

TRACER = TracerProvider().get_tracer("ledgers")
ledger = asyncio.Lock()


def traced(application):
    async def answer(scope, receive, send):
        if scope["type"] != "http":
            return await application(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        context = propagate.extract(headers)
        with TRACER.start_as_current_span("answer", context=context, kind=trace.SpanKind.SERVER):
            return await application(scope, receive, send)

    return answer


async def book(_request):
    async with ledger:
        return PlainTextResponse("booked")


async def transfer(client, url):
    async with ledger:
        await asyncio.to_thread(sys.stdin.readline)  # both hold their own by now
        with TRACER.start_as_current_span("request", kind=trace.SpanKind.CLIENT):
            headers = {}
            propagate.inject(headers)
            await client.get(url, headers=headers)


async def main(port, other):
    config = uvicorn.Config(
        traced(Starlette(routes=[Route("/book", book)])), port=port, log_level="error", loop="asyncio"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(), name="server")
    while not server.started:
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(timeout=None) as client:
        sender = asyncio.create_task(transfer(client, f"http://127.0.0.1:{other}/book"), name="transfer")
        while not ledger.locked():
            await asyncio.sleep(0)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.wait([serving, sender])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
