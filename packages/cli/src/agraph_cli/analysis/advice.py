"""Sentences for people about a core: what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph.reduction import kinds_of
from agraph_cli.analysis.names import Labels, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agraph import Node, Snapshot
    from agraph.reduction import Hop

_ACTORS = {"task", "thread"}


class Adviser:
    """Says these sentences about the cores of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the names from a snapshot."""
        self.label = Labels(snapshot)

    def advice(self, members: Sequence[Node], cycle: Sequence[Hop]) -> str:
        """What to change in the program.

        Args:
            members: The nodes of the core.
            cycle: Its shortest cycle.

        Returns:
            A sentence or two, without a full stop at the end.
        """
        kinds = kinds_of(members)
        # Who waits for a single member that nobody frees is in the cycle, and is no member.
        has_locks = "lock" in kinds or len(members) == 1
        locks = [hop for hop in cycle if hop.waiter.kind == "lock"] if has_locks else []
        if "loop" in kinds:
            return self._blocked_thread(members, cycle)
        if "work_item" in kinds:
            return (
                "every worker waits for work queued behind it: run nested work on a second executor, or do "
                "not wait for it inside a worker"
            )
        if "semaphore" in kinds:
            return self._semaphore(next(node for node in members if node.kind == "semaphore"))
        if len(locks) >= 2:
            return self._lock_order(locks, cycle)
        if locks:
            return self._one_lock(locks[0], cycle)
        return self._by_kind(kinds, members)

    def _blocked_thread(self, members: Sequence[Node], cycle: Sequence[Hop]) -> str:
        runners = {hop.awaited.id for hop in cycle if hop.waiter.kind == "loop"}
        for hop in cycle:
            if hop.waiter.id in runners and hop.edge is not None and hop.edge.kind == "lock":
                return (
                    f"{self.label(hop.waiter)} blocks in {self.label(hop.awaited)} while it should run the "
                    "event loop: in a coroutine take a lock of threads in `asyncio.to_thread`, and let "
                    "nobody wait for the loop while he holds it"
                )
        threads = (self.label(node) for node in members if node.kind == "thread")
        return (
            f"{next(threads, 'a thread')} blocks while it should run the event loop: in a coroutine await "
            "`asyncio.wrap_future(future)` instead of calling `future.result()`, or make the blocking call "
            "in `asyncio.to_thread`"
        )

    def _semaphore(self, node: Node) -> str:
        return (
            f"whoever holds {self.label(node)} waits for somebody who needs it too: take it only around the "
            "innermost work, or use one semaphore for each level"
        )

    def _lock_order(self, locks: Sequence[Hop], cycle: Sequence[Hop]) -> str:
        names = listed(sorted(self.label(hop.waiter) for hop in locks))
        who = listed([self.label(hop.waiter) for hop in cycle if hop.waiter.kind in _ACTORS])
        return f"{who} take {names} in different orders: take them in one fixed order everywhere"

    def _one_lock(self, lock: Hop, cycle: Sequence[Hop]) -> str:
        holder, name = self.label(lock.awaited), self.label(lock.waiter)
        actors = [hop.waiter for hop in cycle if hop.waiter.kind in _ACTORS]
        others = [self.label(node) for node in actors if node != lock.awaited]
        if not others:
            return (
                f"{holder} already holds {name} and asyncio's locks are not re-entrant: "
                "do not take it again inside, or split the function that takes it"
            )
        return f"{holder} holds {name} while it waits for {listed(others)}: release it before that wait"

    def _by_kind(self, kinds: set[str], members: Sequence[Node]) -> str:
        if "queue" in kinds:
            return (
                "whoever could serve the queue waits too: check that every `get` is followed by `task_done`, "
                "and that a full queue has a consumer that never puts into it, or raise its maxsize"
            )
        if len(members) == 1 and not kinds & {"task", "future"}:
            return f"make sure that somebody can still reach {self.label(members[0])} and frees it"
        return (
            "let one of them stop awaiting another: hand it what it needs before it waits, or bound the wait "
            "with `asyncio.timeout`; `Task.cancel()` on such a ring can end in a RecursionError"
        )
