"""Sentences for people about a core: what makes it a deadlock, and what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph_cli.analysis.names import label, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph import Node, Snapshot
    from agraph_cli.analysis.model import Hop
    from agraph_cli.analysis.verdict import Verdict


def assumptions(
    snapshot: Snapshot, members: Sequence[Node], hops: Sequence[Hop], certainty: Verdict
) -> Iterator[str]:
    """What has to be true for a core to be a deadlock; only what applies to it.

    Args:
        snapshot: The snapshot.
        members: The nodes of the core.
        hops: The waits between them.
        certainty: The verdict of the core.

    Yields:
        One sentence each, without a full stop.
    """
    if certainty == "stalled":
        yield from (
            f"the timeout of {label(node)} has not passed" for node in members if node.timer is not None
        )
    yield from _one_moment(snapshot)
    if certainty == "possible":
        yield from _escapes(members, hops)
    closed = [
        label(node) for node in members if node.kind in {"lock", "semaphore", "resource"} and not node.open
    ]
    if closed:
        verb, them = ("is", "it") if len(closed) == 1 else ("are", "them")
        yield f"{listed(closed)} {verb} released only by the tasks recorded as holding {them}"
    yield "nobody outside cancels these tasks or sets what they wait for (a signal handler, a debugger)"


def _one_moment(snapshot: Snapshot) -> Iterator[str]:
    capture = snapshot.capture
    if not capture.consistent:
        yield "all of it was true at one moment, although the program ran while it was captured"
    elif capture.where != "loop" or sum(node.kind == "loop" for node in snapshot.nodes) > 1:
        by = f"thread {capture.thread}" if capture.thread else "another thread"
        yield f"all of it was true at one moment ({by} captured it and saw nothing move meanwhile)"
    if not capture.complete:
        left_out = "; ".join(capture.cut) or "the snapshot does not say what"
        yield f"what the capture left out plays no part ({left_out})"


def _escapes(members: Sequence[Node], hops: Sequence[Hop]) -> Iterator[str]:
    for node in members:
        if node.open:
            yield f"nobody else frees {label(node)} ({node.open})"
        if node.exc:
            yield f"nothing that {label(node)} waits for raises an exception, which would free it"
    for hop in hops:
        if hop.edge is not None and hop.edge.confidence == "probable":
            yield f"{label(hop.waiter)} does depend on {label(hop.awaited)}, which was inferred and not read"


def advice(members: Sequence[Node], cycle: Sequence[Hop]) -> str:
    """What to change in the program.

    Args:
        members: The nodes of the core.
        cycle: Its shortest cycle.

    Returns:
        A sentence or two, without a full stop at the end.
    """
    nodes = [hop.waiter for hop in cycle] or list(members)
    kinds: set[str] = {node.kind for node in members}
    locks = [node for node in nodes if node.kind == "lock"]
    tasks = [node for node in nodes if node.kind == "task"]
    if "loop" in kinds or ("thread" in kinds and "task" in kinds):
        return _blocked_thread(nodes)
    if "work_item" in kinds or "thread" in kinds:
        return (
            "every worker waits for work queued behind it: run nested work on a second executor, or do not "
            "wait for it inside a worker"
        )
    if "semaphore" in kinds:
        return _semaphore(next(node for node in members if node.kind == "semaphore"))
    if len(locks) >= 2:
        return _lock_order(locks, tasks)
    if locks:
        return _one_lock(locks[0], tasks)
    return _by_kind(kinds, nodes)


def _blocked_thread(nodes: Sequence[Node]) -> str:
    thread = next((label(node) for node in nodes if node.kind == "thread"), "the thread of the loop")
    return (
        f"{thread} blocks while it should run the event loop: in a coroutine await "
        "`asyncio.wrap_future(future)` instead of calling `future.result()`, or make the blocking call in "
        "`asyncio.to_thread`"
    )


def _semaphore(node: Node) -> str:
    return (
        f"whoever holds {label(node)} waits for somebody who needs it too: take it only around the innermost "
        "work, or use one semaphore for each level"
    )


def _lock_order(locks: Sequence[Node], tasks: Sequence[Node]) -> str:
    names = listed(sorted(label(node) for node in locks))
    who = listed([label(node) for node in tasks])
    return f"{who} take {names} in different orders: take them in one fixed order everywhere"


def _one_lock(lock: Node, tasks: Sequence[Node]) -> str:
    if len(tasks) == 1:
        return (
            f"{label(tasks[0])} already holds {label(lock)} and asyncio's locks are not re-entrant: "
            "do not take it again inside, or split the function that takes it"
        )
    holder = label(tasks[-1])
    others = listed([label(node) for node in tasks[:-1]])
    return f"{holder} holds {label(lock)} while it waits for {others}: release it before that wait"


def _by_kind(kinds: set[str], nodes: Sequence[Node]) -> str:
    if "queue" in kinds:
        return (
            "whoever could serve the queue waits too: check that every `get` is followed by `task_done`, and "
            "that a full queue has a consumer that never puts into it, or raise its maxsize"
        )
    if len(nodes) == 1 and not {"task", "future"} & kinds:
        return f"make sure that somebody can still reach {label(nodes[0])} and frees it, on every path"
    return (
        "let one of them stop awaiting another: hand it what it needs before it waits, or bound the wait "
        "with `asyncio.timeout`; `Task.cancel()` on such a ring can end in a RecursionError"
    )
