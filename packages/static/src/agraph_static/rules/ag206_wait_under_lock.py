"""AG206: a stored future is awaited while a lock is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import libcst as cst

from agraph_static.rules._base import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.model import Finding
    from agraph_static._internal.scopes import Function


class WaitUnderLock(Rule):
    """Looks at awaits of stored futures in `async with lock` blocks."""

    code = "AG206"
    name = "wait-under-lock"
    summary = "A stored future is awaited while a lock is held that whoever completes it may need"
    why = """\
While the task waits, it keeps the lock. When the code that completes the future has to take the same lock
first, both wait for ever. The rule cannot see whether it has to, so it is off unless selected.

Take what is needed out of the locked block, and wait outside."""
    default = False
    bad: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Client:
    def __init__(self):
        self._lock = asyncio.Lock()
        self._ready = asyncio.get_running_loop().create_future()

    async def send(self):
        async with self._lock:
            await self._ready  # error: AG206
""",
    )
    good: ClassVar[tuple[str, ...]] = (
        """\
import asyncio

class Client:
    def __init__(self):
        self._lock = asyncio.Lock()
        self._ready = asyncio.get_running_loop().create_future()

    async def send(self):
        await self._ready
        async with self._lock:
            pass
""",
    )

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find the waits of one module under a lock."""
        for holding in context.locks.all():
            function = holding.function
            for node in function.awaits:
                awaited = _awaited(context, node)
                place = context.flow.place(awaited, function)
                if id(node) not in holding.nodes or place is None or not context.flow.is_stored(place):
                    continue
                if "future" not in context.origins.of_place(place) or _is_done(
                    context, node, place, function
                ):
                    continue
                lock = context.code(holding.item)
                yield context.finding(
                    cls, node, function,
                    f"`{context.name_of(place)}` is awaited while `{lock}` is held",
                    confidence="likely",
                    label=f"`{lock}` stays taken until somebody completes this",
                    help="wait outside the locked block",
                    related=(context.related(holding.item, f"`{lock}` is taken here"),),
                )  # fmt: skip


def _awaited(context: Context, node: cst.Await) -> cst.BaseExpression:
    """What is waited for in the end: the future of `await wait_for(future, 3)`."""
    call = context.module.call_of.get(id(node.expression))
    through = call is not None and call.qualified in ("asyncio.wait_for", "asyncio.shield") and call.args
    return call.args[0] if call is not None and through else node.expression


def _is_done(context: Context, node: cst.Await, place: Place, function: Function) -> bool:
    """Whether a wait is reached only when the future is done already."""
    module, flow = context.module, context.flow
    around = {id(node), *(id(one) for one in module.ancestors(node))}
    for call in function.calls:
        asked = flow.place(call.receiver, function) if call.name == "done" else None
        if asked is None or flow.root(asked) != flow.root(place):
            continue
        above = [call.node, *module.ancestors(call.node)]
        branch = next((one for one in above if isinstance(one, (cst.If, cst.IfExp))), None)
        if branch is None or not any(one is branch.test for one in above):
            continue
        negated = isinstance(above[1], cst.UnaryOperation)
        if id(branch) in around:
            if (id(branch.body) in around) != negated:
                return True
        elif negated and context.start(branch) < context.start(node) and _leaves(branch):
            return True
    return False


def _leaves(branch: cst.If | cst.IfExp) -> bool:
    """Whether a branch ends in `return` or the like."""
    from agraph_static._internal.tree import walk  # noqa: PLC0415 - imported when first needed

    return any(isinstance(one, (cst.Return, cst.Raise, cst.Continue)) for one in walk(branch.body))
