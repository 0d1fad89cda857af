"""Edges that are no waits: who is recorded as waiting for a task, by asyncio (3.14) or by the application.

asyncio records who called `gather`, `shield` or `create_task` of a group, which need not be who waits. So
what is recorded is kept for people to see, as edges of kind `structural`, where the waits do not say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph._internal.awaited_by import declared, with_declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts


_FEW = 8


def connect_declared(builder: Builder, facts: Facts, plain: Mapping[int, object]) -> None:
    """Add the edges of what is recorded and no wait.

    Args:
        builder: The snapshot in the making, with all its waits.
        facts: Its tasks.
        plain: Its futures that nobody known completes, by the ids of their nodes.
    """
    found: list[tuple[int, int]] = []
    known, numbered = builder.ids.get, facts.numbers
    for position, waiters in with_declared(facts.tasks):
        for waiter in waiters:
            number = known(id(waiter))
            if number is not None:
                found.append((number, numbered[position]))
    for awaited, future in plain.items():
        numbers = (builder.known(waiter) for waiter in declared(future))
        found += [(number, awaited) for number in numbers if number is not None]
    # Nearly all are waits, and those of a task with few waiters are told at once.
    waiters = builder.waiters
    found = [pair for pair in found if not (len(few := waiters.get(pair[1], ())) < _FEW and pair[0] in few)]
    if not found:
        return
    waits = _Waits(builder, {waiter for waiter, _awaited in found})
    for waiter, awaited in found:
        if not waits.say(waiter, awaited):
            builder.edge(waiter, awaited, "structural")


class _Waits:
    """What some nodes wait for: directly, or through one future, as that of a `gather`."""

    def __init__(self, builder: Builder, waiters: set[int]) -> None:
        self._direct: dict[int, set[int]] = {waiter: set() for waiter in waiters}
        self._via: dict[int, list[int]] = {}
        self._of_future: dict[int, set[int]] = {}
        for edge in builder.edges:
            if edge.waiter in self._direct:
                self._direct[edge.waiter].add(edge.awaited)
                node = builder.nodes[edge.awaited]
                if node is not None and node.kind == "future":
                    self._via.setdefault(edge.waiter, []).append(edge.awaited)
                    self._of_future[edge.awaited] = set()
        for edge in builder.edges if self._of_future else ():
            if edge.waiter in self._of_future:
                self._of_future[edge.waiter].add(edge.awaited)

    def say(self, waiter: int, awaited: int) -> bool:
        """Whether one of them waits for a node."""
        if awaited in self._direct[waiter]:
            return True
        return any(awaited in self._of_future[future] for future in self._via.get(waiter, ()))
