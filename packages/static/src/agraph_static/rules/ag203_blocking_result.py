"""AG203: a coroutine blocks its own loop to wait for a coroutine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class BlockingResult(Rule):
    """Looks at `.result()` of `run_coroutine_threadsafe` in coroutines and in what they call."""

    code = "AG203"
    name = "blocking-result"
    summary = (
        "A coroutine blocks in `run_coroutine_threadsafe(...).result()`, which deadlocks on its own loop"
    )
    why = """\
`run_coroutine_threadsafe` is for other threads. Called on the thread of the loop, `.result()` blocks that
thread, the loop stands still, and the coroutine it waits for never runs.

In a coroutine, `await` the coroutine, or the future of `asyncio.wrap_future`."""
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def handler(loop):
    return asyncio.run_coroutine_threadsafe(fetch(), loop).result()  # error: AG203
""",
        """\
import asyncio

def fetch_now(loop):
    future = asyncio.run_coroutine_threadsafe(fetch(), loop)
    return future.result()

async def handler(loop):
    return fetch_now(loop)  # error: AG203
""",
        """\
import asyncio

async def handler(loop, urls):
    futures = [asyncio.run_coroutine_threadsafe(fetch(url), loop) for url in urls]
    return [future.result() for future in futures]  # error: AG203
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

async def handler():
    return await fetch()
""",
        """\
import asyncio

def from_thread(loop):
    return asyncio.run_coroutine_threadsafe(fetch(), loop).result()

async def handler(loop):
    return await asyncio.to_thread(from_thread, loop)
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the blocking waits of one module."""
        from agraph_static._internal.blocking import blocking_functions, blocking_results  # noqa: PLC0415 - imported when first needed

        blocking = blocking_results(context)
        plain = blocking_functions(context, blocking)
        for function in context.module.functions:
            if not function.is_async:
                continue
            for call in blocking.get(id(function), ()):
                yield context.finding(
                    cls, call.node, function,
                    f"`.{call.name}()` blocks the loop that runs `{function.name}`, so the coroutine it "
                    "waits for never runs",
                    confidence="likely",
                    label="blocks the thread of the loop",
                    help="`await` the coroutine",
                    notes=("it deadlocks when the coroutine goes to the loop that runs this (likely)",),
                )  # fmt: skip
            for call in function.calls:
                callee = context.flow.callee(call)
                if callee is None or id(callee) not in plain:
                    continue
                yield context.finding(
                    cls, call.node, function,
                    f"`{callee.name}` blocks in `.{plain[id(callee)].name}()`, and with it the loop that "
                    f"runs `{function.name}`",
                    confidence="likely",
                    label="blocks the thread of the loop",
                    help=f"run it in a thread, `await asyncio.to_thread({context.code(call.node.func)}, ...)`"
                    ", or `await` the coroutine",
                    related=(context.related(plain[id(callee)].node, "blocks here"),),
                )  # fmt: skip
