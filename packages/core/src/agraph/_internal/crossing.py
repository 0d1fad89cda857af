"""Who completes a concurrent future: a task of some loop, a coroutine that is no task yet, or a pool."""

from __future__ import annotations

import types
from asyncio import futures
from concurrent.futures import Future
from typing import TYPE_CHECKING

from agraph._internal import executors
from agraph._internal.blocking import is_unfinished
from agraph._internal.executors import Executors
from agraph._internal.futures import instance_dict, is_future, is_pending, loop_of
from agraph._internal.handles import cells_of, submitted
from agraph._internal.identity import key_of
from agraph._internal.kinds import qualname_of
from agraph._internal.model import Site
from agraph._internal.nested import nested_code
from agraph._internal.waits import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agraph._internal.builder import Builder
    from agraph._internal.discover import Loop
    from agraph._internal.handles import Submitted
    from agraph._internal.resources import Resources

NOBODY = "no known thread or task completes this future"
_CHAIN_CANCEL = nested_code(futures._chain_future, "_call_check_cancel")  # type: ignore[attr-defined]
_POOLS_WORK = executors.works()


class Crossing:
    """Makes the edges from concurrent futures to who completes them."""

    def __init__(
        self,
        builder: Builder,
        resources: Resources,
        loops: Iterable[Loop],
        frames: dict[int, types.FrameType],
        thread: Callable[[int], int],
    ) -> None:
        """Start without looking at any pool or loop: most captures need none.

        Args:
            builder: The snapshot in the making.
            resources: What makes the rows of futures and tasks.
            loops: The loops of the capture.
            frames: The innermost frame of every thread, by thread.
            thread: What makes the row of a thread, and returns its number.
        """
        self._builder = builder
        self._resources = resources
        self._loops = loops
        self._frames = frames
        self._thread = thread
        self._pools: Executors | None = None
        self._submitted: dict[int, Submitted] | None = None

    def complete(self, number: int, future: object) -> None:
        """Say who completes a concurrent future that something waits for.

        Args:
            number: The id of its row.
            future: The future.
        """
        if not is_unfinished(future):
            self._builder.change(number, state="done", need=0)
            return
        source = source_of(future)
        submission = None if source is not None else self._submission_of(future)
        if source is None and submission is None:
            self._by_pool(number, future)
            return
        self._put_future(number, future)
        if submission is not None:
            self._builder.edge(number, self._not_yet_a_task(submission), "cross_loop")
        elif is_pending(source):
            self._resources.connect(number, Wait((source,), edge="cross_loop"))
        else:
            self._cross(number, loop_of(source))  # it has yet to pass its result on

    def _put_future(self, number: int, future: object) -> None:
        self._builder.put(
            number,
            "future",
            type=qualname_of(type(future)),
            state="pending",
            key=key_of(future),
            need=1,
            detail={"made_by": "run_coroutine_threadsafe"},
        )

    def _cross(self, number: int, loop: Loop) -> None:
        """An edge to a loop; open when it is none of those captured."""
        known = self._builder.known(loop)
        if known is None:
            self._builder.change(number, open="its loop is not part of this snapshot")
        else:
            self._builder.edge(number, known, "cross_loop")

    def _submission_of(self, future: object) -> Submitted | None:
        if self._submitted is None:
            self._submitted = {}
            for loop in self._loops:
                self._submitted.update(submitted(loop))
        return self._submitted.get(id(future))

    def _not_yet_a_task(self, submission: Submitted) -> int:
        builder = self._builder
        number = builder.reserve(submission.handle)
        coroutine = submission.coroutine
        code = coroutine.cr_code if type(coroutine) is types.CoroutineType else None
        name, stack = "", None
        if code is not None:
            name = code.co_qualname
            stack = builder.sites.stack(
                (builder.sites.site(Site(code.co_filename, name, code.co_firstlineno)),)
            )
        builder.put(
            number,
            "work_item",
            name=name,
            type=qualname_of(type(coroutine)),
            state="queued",
            stack=stack,
            key=key_of(submission.handle),
            need=1,
        )
        self._cross(number, submission.loop)
        return number

    def _by_pool(self, number: int, future: object) -> None:
        if self._pools is None:
            self._pools = Executors(self._frames if _POOLS_WORK else {})
        place = self._pools.place_of(future)
        if place is None:
            self._builder.change(number, need=1, open=NOBODY)
            return
        self._builder.change(
            number,
            name=place.name,
            state="queued" if place.queued else "running",
            need=1 if place.threads else 0,
            detail={"pool": "processes" if place.outside else "threads"},
        )
        for ident in place.threads:
            self._builder.edge(number, self._thread(ident), "thread")


def source_of(future: object) -> object:
    """The asyncio future or task that passes its result on to a concurrent one; None when there is none."""
    for callback in list(instance_dict(future, Future).get("_done_callbacks") or ()):
        if type(callback) is types.FunctionType and callback.__code__ is _CHAIN_CANCEL:
            source = cells_of(callback).get("source")
            if is_future(source):
                return source
    return None
