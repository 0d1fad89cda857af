"""Sentences for people about a core: what makes it a deadlock, and what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.analysis.names import Labels, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node, Snapshot
    from agraph.reduction import Hop, Verdict

_HELD = {"lock", "semaphore", "resource"}
_ACTORS = {"task", "thread"}


class Adviser:
    """Says these sentences about the cores of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the names from a snapshot."""
        self.snapshot = snapshot
        self.label = Labels(snapshot)

    def assumptions(self, members: Sequence[Node], hops: Sequence[Hop], certainty: Verdict) -> Iterator[str]:
        """What has to be true for a core to be a deadlock; only what applies to it.

        Args:
            members: The nodes of the core.
            hops: The waits between them.
            certainty: The verdict of the core.

        Yields:
            One sentence each, without a full stop.
        """
        if certainty == "stalled":
            timed = (self.label(node) for node in members if node.timer is not None)
            yield from (f"the timeout of {name} has not passed" for name in timed)
        yield from self._one_moment()
        if certainty == "possible":
            yield from self._escapes(members, hops)
        closed = [self.label(node) for node in members if node.kind in _HELD and not node.open]
        if closed:
            verb, them = ("is", "it") if len(closed) == 1 else ("are", "them")
            yield f"{listed(closed)} {verb} released only by the tasks recorded as holding {them}"
        yield "nobody outside cancels these tasks or sets what they wait for (a signal handler, a debugger)"

    def _one_moment(self) -> Iterator[str]:
        capture = self.snapshot.capture
        if not capture.consistent:
            yield "all of it was true at one moment, although the program ran while it was captured"
        elif capture.where != "loop" or sum(node.kind == "loop" for node in self.snapshot.nodes) > 1:
            by = f"thread {capture.thread}" if capture.thread else "another thread"
            saw = "saw nothing move meanwhile"
            if capture.moved:
                saw = f"takes the {capture.moved} it saw move meanwhile for able to go on"
            yield f"all of it was true at one moment ({by} captured it and {saw})"
        if not capture.complete:
            left_out = "; ".join(capture.cut) or "the snapshot does not say what"
            yield f"what the capture left out plays no part ({left_out})"

    def _escapes(self, members: Sequence[Node], hops: Sequence[Hop]) -> Iterator[str]:
        for node in members:
            if node.open:
                yield f"nobody else frees {self.label(node)} ({node.open})"
            if node.exc:
                yield f"nothing that {self.label(node)} waits for raises an exception, which would free it"
        for hop in hops:
            if hop.edge is not None and hop.edge.confidence == "probable":
                ends = f"{self.label(hop.waiter)} does depend on {self.label(hop.awaited)}"
                yield f"{ends}, which was inferred and not read"

    def advice(self, members: Sequence[Node], cycle: Sequence[Hop]) -> str:
        """What to change in the program.

        Args:
            members: The nodes of the core.
            cycle: Its shortest cycle.

        Returns:
            A sentence or two, without a full stop at the end.
        """
        kinds: set[str] = {node.kind for node in members}
        locks = [hop for hop in cycle if hop.waiter.kind == "lock"]
        if "loop" in kinds:
            return self._blocked_thread(members)
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

    def _blocked_thread(self, members: Sequence[Node]) -> str:
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
