"""What the rules about deadlocks find in one variant after the other, how sure, and what they leave alone."""

from __future__ import annotations

import pytest

from agraph_static import LintConfig, lint_source


def found(text: str, code: str) -> list[tuple[int, str]]:
    """Lines and confidences of a rule's findings, also of those that are only reported on demand."""
    config = LintConfig(select=(code,), min_confidence="possible")
    return [(one.span.line, one.confidence) for one in lint_source(text, "a.py", config)]


def sure(text: str, code: str) -> list[str]:
    return [confidence for _, confidence in found(text, code)]


ITSELF = "import asyncio\n\nasync def stop(exclude_me, logger, other_loop):\n"

WAITS_FOR_ITSELF = {
    "a comprehension": "    await asyncio.gather(*[t for t in asyncio.all_tasks()])\n",
    "a display": "    tasks = {*asyncio.all_tasks()}\n    done, pending = await asyncio.wait(tasks)\n",
    "a list": "    tasks = list(asyncio.all_tasks())\n    for t in tasks: t.cancel()\n    await asyncio.gather(*tasks)\n",
    "a loop": "    for t in asyncio.all_tasks(): await t\n",
    "a loop over a variable": "    tasks = asyncio.all_tasks()\n    for t in tasks:\n        await t\n",
    "a loop that minds cancellation": "    for t in asyncio.all_tasks():\n        t.cancel()\n        try:\n            await t\n"
    "        except asyncio.CancelledError:\n            pass\n",
    "logged and counted": "    tasks = asyncio.all_tasks()\n    logger.info('%s', tasks)\n    if len(tasks) > 1:\n"
    "        await asyncio.wait(tasks)\n",
    "all of them": "    await asyncio.wait(asyncio.all_tasks(), timeout=None, return_when=asyncio.ALL_COMPLETED)\n",
    "the task, shown around": "    me = asyncio.current_task()\n    exclude_me(me)\n    await asyncio.shield(me)\n",
}

WAITS_FOR_OTHERS = {
    "taken out by an operator": "    tasks = asyncio.all_tasks()\n    tasks -= {asyncio.current_task()}\n    await asyncio.wait(tasks)\n",
    "taken out by a method": "    tasks = asyncio.all_tasks()\n    tasks.symmetric_difference_update({asyncio.current_task()})\n"
    "    await asyncio.wait(tasks)\n",
    "taken out by a helper": "    tasks = asyncio.all_tasks()\n    exclude_me(tasks)\n    await asyncio.gather(*tasks)\n",
    "taken out by another name": "    tasks = asyncio.all_tasks()\n    same = tasks\n    same.discard(asyncio.current_task())\n"
    "    await asyncio.gather(*tasks)\n",
    "until the first": "    await asyncio.wait(asyncio.all_tasks(), return_when=asyncio.FIRST_COMPLETED)\n",
    "for a while": "    await asyncio.wait(asyncio.all_tasks(), timeout=1)\n",
    "of another loop": "    await asyncio.wait(asyncio.all_tasks(other_loop))\n",
    "a loop that skips": "    me = asyncio.current_task()\n    for t in asyncio.all_tasks():\n        if t is me: continue\n        await t\n",
    "a loop that takes the error": "    for t in asyncio.all_tasks():\n        try:\n            await t\n        except Exception:\n            pass\n",
    "a comprehension that skips": "    await asyncio.gather(*[t for t in asyncio.all_tasks() if t is not asyncio.current_task()])\n",
    "somebody's own wait": "    await logger.wait(asyncio.all_tasks())\n",
}


@pytest.mark.parametrize("body", WAITS_FOR_ITSELF.values(), ids=WAITS_FOR_ITSELF)
def test_a_task_that_waits_for_itself(body: str):
    assert sure(ITSELF + body, "AG207") == ["certain"]


@pytest.mark.parametrize("body", WAITS_FOR_OTHERS.values(), ids=WAITS_FOR_OTHERS)
def test_a_task_that_waits_for_others_or_may_do_so(body: str):
    assert sure(ITSELF + body, "AG207") in ([], ["possible"])


LOCKED = """\
import asyncio
import contextlib

class Account:
    def __init__(self):
        self._lock = asyncio.Lock()
        self._one = asyncio.Semaphore(1)
        self._two = asyncio.Semaphore(2)
        self._condition = asyncio.Condition()
        self.closed = False

    async def take(self):
        async with self._lock:
            return True

    async def take_by_hand(self):
        await self._lock.acquire()
        self._lock.release()

    async def take_one(self):
        async with self._one:
            return True

    async def take_two(self):
        async with self._two:
            return True

    async def take_condition(self):
        async with self._condition:
            return True

    async def take_unless_closed(self):
        if self.closed:
            return False
        async with self._lock:
            return True

    async def take_if_free(self):
        if self._lock.locked():
            return False
        async with self._lock:
            return True

    async def take_unless(self, locked=False):
        if not locked:
            async with self._lock:
                return True

    async def numbers(self):
        async with self._lock:
            yield 1

    @contextlib.asynccontextmanager
    async def entered(self):
        async with self._lock:
            yield

    async def outer(self):
"""

REENTERED = {
    "await": ("certain", "async with self._lock:\n    await self.take()"),
    "by hand inside": ("certain", "async with self._lock:\n    await self.take_by_hand()"),
    "by hand outside": (
        "certain",
        "await self._lock.acquire()\ntry:\n    await self.take()\nfinally:\n    self._lock.release()",
    ),
    "by hand and beside": ("certain", "await self._lock.acquire()\nawait self.take()\nself._lock.release()"),
    "wait_for": ("likely", "async with self._lock:\n    await asyncio.wait_for(self.take(), 5)"),
    "gather": ("certain", "async with self._lock:\n    await asyncio.gather(asyncio.sleep(0), self.take())"),
    "task group": (
        "certain",
        "async with self._lock:\n  async with asyncio.TaskGroup() as group:\n    group.create_task(self.take())",
    ),
    "task": (
        "certain",
        "async with self._lock:\n    task = asyncio.create_task(self.take())\n    await task",
    ),
    "async for": ("certain", "async with self._lock:\n    async for _ in self.numbers(): pass"),
    "context manager": ("certain", "async with self._lock, self.entered():\n    pass"),
    "condition": ("certain", "async with self._condition:\n    await self.take_condition()"),
    "semaphore for one": ("certain", "async with self._one:\n    await self.take_one()"),
    "early return": ("likely", "async with self._lock:\n    await self.take_unless_closed()"),
    "only if free": ("possible", "async with self._lock:\n    await self.take_if_free()"),
    "told": ("possible", "async with self._lock:\n    await self.take_unless(locked=True)"),
    "not told": ("likely", "async with self._lock:\n    await self.take_unless()"),
    "asked before": (
        "possible",
        "async with self._lock:\n    if not self._lock.locked():\n        await self.take()",
    ),
}

NOT_REENTERED = {
    "released around": "async with self._lock:\n    self._lock.release()\n    try:\n        await self.take()\n"
    "    finally:\n        await self._lock.acquire()",
    "released before": "await self._lock.acquire()\nself._lock.release()\nawait self.take()",
    "a task of its own": "async with self._lock:\n    self.task = asyncio.create_task(self.take())",
    "awaited outside": "async with self._lock:\n    task = asyncio.create_task(self.take())\nawait task",
    "a group around": "async with asyncio.TaskGroup() as group:\n    async with self._lock:\n"
    "        group.create_task(self.take())",
    "semaphore for two": "async with self._two:\n    await self.take_two()",
    "order": "async with self.entered(), self._lock:\n    pass",
    "handed on": "async with self._lock:\n    self.later = self.numbers()",
}


def indented(body: str) -> str:
    return "".join(f"        {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(("confidence", "body"), REENTERED.values(), ids=REENTERED)
def test_a_lock_that_is_taken_twice(confidence: str, body: str):
    assert sure(LOCKED + indented(body), "AG204") == [confidence]


@pytest.mark.parametrize("body", NOT_REENTERED.values(), ids=NOT_REENTERED)
def test_a_lock_that_is_taken_once(body: str):
    assert sure(LOCKED + indented(body), "AG204") == []


def test_a_lock_that_others_release_is_taken_twice_on_purpose():
    text = "    self._start()\nawait self._lock.acquire()\nawait self._lock.acquire()\nself._lock.release()"
    others = "\n    def _start(self):\n        self._lock.release()\n"
    assert sure(LOCKED + indented("\n".join(text.split("\n")[1:])) + others, "AG204") == ["possible"]


ORDER = """\
import asyncio

class Pool:
    def __init__(self):
        self.gate = asyncio.Lock()
        self.a = asyncio.Lock()
        self.b = asyncio.Lock()
        self.c = asyncio.Lock()

"""


def methods(*bodies: str) -> str:
    return ORDER + "".join(f"    async def m{n}(self):\n{indented(body)}" for n, body in enumerate(bodies))


DISORDER = {
    "three locks": (
        "async with self.a, self.b: pass",
        "async with self.b, self.c: pass",
        "async with self.c, self.a: pass",
    ),
    "by hand": (
        "await self.a.acquire()\ntry:\n    async with self.b: pass\nfinally:\n    self.a.release()",
        "async with self.b, self.a: pass",
    ),
    "one side gated": ("async with self.gate, self.a, self.b: pass", "async with self.b, self.a: pass"),
    "different gates": (
        "async with self.gate, self.a, self.b: pass",
        "async with self.c, self.b, self.a: pass",
    ),
}

IN_ORDER = {
    "one gate": ("async with self.gate, self.a, self.b: pass", "async with self.gate, self.b, self.a: pass"),
    "three under a gate": (
        "async with self.gate, self.a, self.b: pass",
        "async with self.b, self.c: pass",
        "async with self.gate, self.c, self.a: pass",
    ),
    "given back before": (
        "await self.a.acquire()\nself.a.release()\nasync with self.b: pass",
        "async with self.b, self.a: pass",
    ),
}


@pytest.mark.parametrize("bodies", DISORDER.values(), ids=DISORDER)
def test_locks_in_several_orders(bodies: tuple[str, ...]):
    assert sure(methods(*bodies), "AG205") == ["likely"]


@pytest.mark.parametrize("bodies", IN_ORDER.values(), ids=IN_ORDER)
def test_locks_that_cannot_meet_in_several_orders(bodies: tuple[str, ...]):
    assert sure(methods(*bodies), "AG205") == []


def test_helpers_that_are_only_called_behind_a_gate_may_differ():
    text = methods("async with self.gate: await self._ab()", "async with self.gate: await self._ba()")
    helpers = (
        "    async def _ab(self):\n        async with self.a, self.b: pass\n"
        "    async def _ba(self):\n        async with self.b, self.a: pass\n"
    )
    assert sure(text + helpers, "AG205") == []
    bare = "    async def open(self):\n        await self._ba()\n"
    assert sure(text + helpers + bare, "AG205") == ["likely"]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("async with self.lock:\n    async with other.lock: pass", 1),
        (
            "first, second = sorted((self, other), key=id)\nasync with first.lock:\n    async with second.lock: pass",
            0,
        ),
        (
            "if id(self) > id(other): self, other = other, self\nasync with self.lock:\n    async with other.lock: pass",
            0,
        ),
        ("async with self.lock:\n    async with self.child.lock: pass", 0),
    ],
)
def test_the_locks_of_two_objects(body: str, lines: int):
    head = "import asyncio\n\nclass A:\n    def __init__(self):\n        self.lock = asyncio.Lock()\n\n"
    text = f'{head}    async def move(self, other: "A"):\n{indented(body)}'
    assert len(found(text, "AG205")) == lines


WAITING = """\
import asyncio

class Client:
    def __init__(self):
        self._lock = asyncio.Lock()
        self._ready = asyncio.get_running_loop().create_future()

    async def send(self):
        async with self._lock:
"""


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("await asyncio.wait_for(self._ready, 3)", 1),
        ("await asyncio.shield(self._ready)", 1),
        ("if not self._ready.done(): await self._ready", 1),
        ("if self._ready.done(): return 1\nawait self._ready", 1),
        ("if self._ready.done(): return await self._ready", 0),
        ("if not self._ready.done(): return 1\nawait self._ready", 0),
        ("if not self._ready.done():\n    return 1\nelse:\n    await self._ready", 0),
        ("return await self._ready if self._ready.done() else None", 0),
    ],
)
def test_a_future_that_is_awaited_under_a_lock(body: str, lines: int):
    text = WAITING + "".join(f"            {line}\n" for line in body.splitlines())
    assert len(found(text, "AG206")) == lines


EDGES = """\
import asyncio
import contextlib
import functools

add = asyncio.future_add_to_awaited_by
discard = asyncio.future_discard_from_awaited_by

def forget(future, waiter):
    asyncio.future_discard_from_awaited_by(future, waiter)

async def wait(a, b, waiter, source):
    me = asyncio.current_task()
"""

NOT_DISCARDED = {
    "by another name": "add(a, me)\nawait waiter",
    "only the other": "add(a, me)\nadd(b, me)\ntry:\n    await waiter\nfinally:\n    discard(b, me)",
}

DISCARDED = {
    "by another name": "add(a, me)\ntry:\n    await waiter\nfinally:\n    discard(a, me)",
    "by a helper": "add(a, me)\ntry:\n    await waiter\nfinally:\n    forget(a, me)",
    "by an exit stack": "with contextlib.ExitStack() as stack:\n    add(a, me)\n    stack.callback(discard, a, me)\n    await waiter",
    "by a partial": "add(a, me)\na.add_done_callback(functools.partial(discard, waiter=me))\nawait waiter",
    "in a loop over both": "add(a, me)\nadd(b, me)\ntry:\n    await waiter\nfinally:\n    for one in (a, b): discard(one, me)",
    "by the same object": "add(a, me)\nadd(b, me)\nc = a\ntry:\n    await waiter\nfinally:\n    discard(c, me)\n    discard(b, me)",
    "in a callback for both": "add(a, me)\nadd(b, me)\ndef done(future): discard(future, me)\n"
    "a.add_done_callback(done)\nb.add_done_callback(done)\nawait waiter",
    "in two handlers": "add(a, me)\ntry:\n    await waiter\nexcept Exception:\n    discard(a, me)\n    raise\n"
    "except asyncio.CancelledError:\n    discard(a, me)\n    raise\ndiscard(a, me)",
}

NOT_ALWAYS_DISCARDED = {
    "async for": "add(a, me)\nasync for _ in source: print()\ndiscard(a, me)",
    "async with": "add(a, me)\nasync with source: pass\ndiscard(a, me)",
    "one error": "add(a, me)\ntry:\n    await waiter\nexcept ValueError:\n    discard(a, me)\n    raise\ndiscard(a, me)",
    "no cancellation": "add(a, me)\ntry:\n    await waiter\nexcept Exception:\n    discard(a, me)\n    raise\ndiscard(a, me)",
}


def in_wait(body: str) -> str:
    return EDGES + "".join(f"    {line}\n" for line in body.splitlines())


@pytest.mark.parametrize("body", NOT_DISCARDED.values(), ids=NOT_DISCARDED)
def test_an_edge_that_stays(body: str):
    assert found(in_wait(body), "AG102") == [(13, "certain")]


@pytest.mark.parametrize("body", DISCARDED.values(), ids=DISCARDED)
def test_an_edge_that_goes(body: str):
    assert found(in_wait(body), "AG102") == found(in_wait(body), "AG103") == []


@pytest.mark.parametrize("body", NOT_ALWAYS_DISCARDED.values(), ids=NOT_ALWAYS_DISCARDED)
def test_an_edge_that_stays_when_the_wait_fails(body: str):
    assert sure(in_wait(body), "AG103") == ["certain"]
    assert sure(in_wait(body), "AG102") == []


def test_two_helpers_that_are_given_the_future_belong_together():
    record = "import asyncio\n\ndef record(future, waiter):\n    asyncio.future_add_to_awaited_by(future, waiter)\n"
    forget = "\ndef forget(future, waiter):\n    asyncio.future_discard_from_awaited_by(future, waiter)\n"
    assert sure(record + forget, "AG102") == []
    assert sure(record, "AG102") == ["likely"]


SUBMITTED = """\
import asyncio
import concurrent.futures
from asyncio import run_coroutine_threadsafe as submit

class Service:
    def now(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def soon(self, coroutine):
        return self.now(coroutine)

    async def handle(self, loop):
"""

BLOCKS = {
    "imported by another name": "return submit(work(), loop).result(5)",
    "in a walrus": "if (future := submit(work(), loop)).result(): pass",
    "for the exception": "return submit(work(), loop).exception()",
    "kept in an attribute": "self.future = submit(work(), loop)\nreturn self.future.result()",
    "one after the other": "futures = [submit(work(), loop) for _ in range(3)]\nfor future in futures:\n    future.result()",
    "in a helper": "return self.now(work())",
    "in a helper's helper": "return self.soon(work())",
}

DOES_NOT_BLOCK = {
    "in another thread": "return await asyncio.to_thread(self.soon, work())",
    "waited for": "self.future = submit(work(), loop)\nawait asyncio.wrap_future(self.future)\nreturn self.future.result()",
    "all waited for": "futures = [submit(work(), loop)]\nawait asyncio.gather(*map(asyncio.wrap_future, futures))\n"
    "return [future.result() for future in futures]",
    "asked before": "return [one.result() for one in [submit(work(), loop)] if one.done()]",
    "in a callback": "submit(work(), loop).add_done_callback(lambda future: print(future.result()))",
}


@pytest.mark.parametrize("body", BLOCKS.values(), ids=BLOCKS)
def test_a_coroutine_that_blocks_its_loop(body: str):
    assert sure(SUBMITTED + indented(body), "AG203") == ["likely"]


@pytest.mark.parametrize("body", DOES_NOT_BLOCK.values(), ids=DOES_NOT_BLOCK)
def test_a_coroutine_that_does_not_block_its_loop(body: str):
    assert sure(SUBMITTED + indented(body), "AG203") == []


@pytest.mark.parametrize("made", ["Condition()", "Semaphore(1)", "BoundedSemaphore()", "Lock()"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_file_with_one_kind_of_lock_is_looked_at(made: str, by_hand: bool):
    taken = "await one.acquire()\n    {}\n    one.release()" if by_hand else "async with one:\n        {}"
    text = (
        f"from asyncio import {made.partition('(')[0]}\n\none = {made}\n\n"
        f"async def outer():\n    {taken.format('await inner()')}\n\nasync def inner():\n    {taken.format('pass')}\n"
    )
    assert sure(text, "AG204") == ["certain"]
