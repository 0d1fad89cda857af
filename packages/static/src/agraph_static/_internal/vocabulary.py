"""Names the rules know: what makes a task or a future, what resolves one, which helpers chain them.

A function is known by its dotted name with imports resolved; where only the last part is needed, because
the object it is called on is not known (`loop.create_task`, `self.hass.async_create_task`), the table says
so.
"""

from __future__ import annotations

from typing import Literal

Origin = Literal[
    "task",
    "future",
    "event",
    "queue",
    "semaphore",
    "lock",
    "condition",
    "thread",
    "io",
    "timer",
    "unknown",
    "param",
    "none",
]
"""Where a value comes from. `task` completes by itself; `thread` stands for what another thread completes."""

TASK_METHODS = frozenset(
    {
        "create_task",
        "ensure_future",
        "create_eager_task",
        "async_create_task",
        "async_create_task_internal",
        "async_create_background_task",
        "create_background_task",
        "async_add_executor_job_task",
        "create_logged_task",
        "convert_yielded",
        "spawn_task",
        "spawn",
    }
)
"""Called on anything, these make a task."""

TASK_FUNCTIONS = frozenset(
    {
        "asyncio.gather",
        "asyncio.shield",
        "asyncio.async",
        "asyncio.Task",
        "asyncio.tasks.Task",
        "gather",
        "shield",
    }
)

FUTURE_METHODS = frozenset({"create_future", "_create_future"})
FUTURE_CLASSES = frozenset(
    {"asyncio.Future", "asyncio.futures.Future", "tornado.concurrent.Future", "_asyncio.Future"}
)

THREAD_FUNCTIONS = frozenset(
    {
        "asyncio.run_coroutine_threadsafe",
        "asyncio.wrap_future",
        "asyncio.to_thread",
        "concurrent.futures.Future",
        "concurrent.futures._base.Future",
    }
)
THREAD_METHODS = frozenset(
    {
        "submit",
        "run_in_executor",
        "run_coroutine_threadsafe",
        "wrap_future",
        "to_thread",
        "async_add_executor_job",
    }
)

IO_METHODS = frozenset(
    {
        "write",
        "read",
        "readline",
        "read_bytes",
        "read_until",
        "sendall",
        "send",
        "recv",
        "connect",
        "accept",
        "drain",
        "sock_recv",
        "sock_sendall",
        "sock_connect",
        "sock_accept",
        "open_connection",
        "flush",
        "poll",
    }
)

PRIMITIVES: dict[str, Origin] = {
    "asyncio.Event": "event",
    "asyncio.locks.Event": "event",
    "asyncio.Queue": "queue",
    "asyncio.PriorityQueue": "queue",
    "asyncio.LifoQueue": "queue",
    "asyncio.queues.Queue": "queue",
    "asyncio.Semaphore": "semaphore",
    "asyncio.BoundedSemaphore": "semaphore",
    "asyncio.locks.Semaphore": "semaphore",
    "asyncio.Lock": "lock",
    "asyncio.locks.Lock": "lock",
    "asyncio.Condition": "condition",
    "asyncio.locks.Condition": "condition",
}

OTHER_EVENTS = frozenset(
    {"threading", "multiprocessing", "anyio", "trio", "curio", "tornado", "gevent", "eventlet", "pytest"}
)
"""Packages whose `Event` is another than asyncio's."""

RESOLVE_METHODS = frozenset({"set_result", "set_exception"})
"""Called on a future, these complete it."""

RESOLVERS = {
    # dotted name, or its last part where a leading * stands: position of the future that is completed
    "tornado.concurrent.future_set_result_unless_cancelled": 0,
    "tornado.concurrent.future_set_exception_unless_cancelled": 0,
    "tornado.concurrent.future_set_exc_info": 0,
    "tornado.gen.future_set_result_unless_cancelled": 0,
    "*set_result": 0,  # a function, as aiohttp.helpers has it: methods are in RESOLVE_METHODS
    "*set_exception": 0,
    "homeassistant.util.async_.set_result_unless_done": 0,
    "asyncio.futures._set_result_unless_cancelled": 0,
    "mode.utils.futures.notify": 0,
    "*maybe_set_result": 0,
    "*maybe_set_exception": 0,
    "asyncio.futures._copy_future_state": 1,
    "*future_set_result_unless_cancelled": 0,
    "*future_set_exception_unless_cancelled": 0,
    "*future_set_exc_info": 0,
    "*_set_result_unless_done": 0,
    "*_set_result_unless_cancelled": 0,
    "*set_result_unless_done": 0,
    "*set_result_unless_cancelled": 0,
    "*_copy_future_state": 1,
}

FAILURES = frozenset({"set_exception", "future_set_exc_info", "maybe_set_exception"})
"""Of these, the ones that complete a future with an error."""

CHAINERS = {
    # name -> positions of source and target
    "tornado.concurrent.chain_future": (0, 1),
    "motor.frameworks.asyncio.chain_future": (0, 1),
    "asyncio.futures._chain_future": (0, 1),
    "*chain_future": (0, 1),
    "*_chain_future": (0, 1),
}

CALLBACK_ADDERS = {
    # name -> positions of the future and of the callback
    "tornado.concurrent.future_add_done_callback": (0, 1),
    "*future_add_done_callback": (0, 1),
    "*add_future": (0, 1),
}

HOPS: dict[str, str] = {
    # method of a primitive -> what kind of primitive it wakes
    "set": "event",
    "put_nowait": "queue",
    "put": "queue",
    "release": "semaphore",
    "notify": "condition",
    "notify_all": "condition",
}

HOP_WAITS: dict[str, tuple[str, ...]] = {
    "event": ("wait",),
    "queue": ("get", "join"),
    "semaphore": ("acquire",),
    "condition": ("wait", "wait_for"),
    "lock": ("acquire",),
}

CONTAINER_ADDS = frozenset({"append", "appendleft", "add", "insert", "put_nowait", "put"})
CONTAINER_TAKES = frozenset({"pop", "popleft", "get", "setdefault", "popitem", "get_nowait"})
CONTAINER_VIEWS = frozenset(
    {"values", "copy", "list", "set", "tuple", "sorted", "reversed", "frozenset", "items"}
)

ADD_EDGE = "future_add_to_awaited_by"
DISCARD_EDGE = "future_discard_from_awaited_by"


def lookup(
    table: dict[str, int] | dict[str, tuple[int, int]], qualified: str, name: str
) -> int | tuple[int, int] | None:
    """An entry by dotted name, then by last part."""
    found = table.get(qualified)
    return found if found is not None else table.get("*" + name)
