"""What has to be true for a core to be a deadlock."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from agraph._internal.edge_rows import has_inferred, waits
from agraph._internal.reduction.cancel import children_in
from agraph._internal.reduction.names import Labels, listed
from agraph._internal.reduction.picked import FEW, notable, only
from agraph._internal.rows import of_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agraph._internal.model import Node, Snapshot
    from agraph._internal.reduction.cycles import Hop
    from agraph._internal.reduction.verdict import Verdict

_HELD = {"lock", "semaphore", "resource"}


def assumptions(
    snapshot: Snapshot, label: Labels, members: Sequence[Node], hops: Sequence[Hop], certainty: Verdict
) -> Iterator[str]:
    """What a verdict rests on; only what applies to this core.

    Args:
        snapshot: What was reduced.
        label: What to call its nodes.
        members: The nodes of the core.
        hops: The waits between them.
        certainty: The verdict of the core.

    Yields:
        One sentence each, without a full stop.
    """
    told = notable(members, _HELD)
    if certainty == "stalled":
        timed = (label(node) for node in told if node.timer is not None)
        yield from (f"the timeout of {name} has not passed" for name in timed)
    yield from _one_moment(snapshot)
    if certainty == "possible":
        yield from _unknown_needs(snapshot, label, told)
        yield from _escapes(label, told, hops if has_inferred(snapshot.edges) else ())
        yield from _parents(snapshot, label, members)
    yield from _proved(label, told)
    closed = [label(node) for node in told if node.kind in _HELD and not node.open and not _proof(node)]
    if closed:
        verb, them = ("is", "it") if len(closed) == 1 else ("are", "them")
        yield f"{listed(closed)} {verb} released only by the {_holders(hops)} recorded as holding {them}"
    yield from _kept(members, told)
    yield "no other task, thread or signal handler cancels these tasks or sets what they wait for"


def how_sure(certainty: Verdict, hops: Iterable[Hop]) -> str:
    """How sure a verdict is, in words that what it rests on follows.

    Args:
        certainty: The verdict of the core.
        hops: The waits that are told.

    Returns:
        A sentence, and the beginning of the next.
    """
    if certainty == "possible":
        return "possible. It is a deadlock if"
    if certainty == "stalled":
        return "stalled. A timeout ends it; nothing moves as long as"
    proved = ""
    if any(hop.edge is not None and hop.edge.confidence == "probable" for hop in hops):
        proved = " or, where inferred, proved"
    return f"certain. Each of these waits was read from the interpreter{proved}. It is a deadlock if"


def _one_moment(snapshot: Snapshot) -> Iterator[str]:
    capture = snapshot.capture
    if capture.where == "processes":
        yield "all of it was true at one moment, although the processes were captured one after the other"
    elif not capture.consistent:
        yield "all of it was true at one moment, although the program ran while it was captured"
    elif capture.where != "loop" or len(of_kind(snapshot.nodes, "loop")) > 1:
        by = f"thread {capture.thread}" if capture.thread else "another thread"
        saw = "saw nothing move meanwhile"
        if capture.moved:
            saw = f"takes the {capture.moved} it saw move meanwhile for able to go on"
        yield f"all of it was true at one moment ({by} captured it and {saw})"
    if not capture.complete:
        left_out = "; ".join(capture.cut) or "the snapshot does not say what"
        yield f"what the capture left out plays no part ({left_out})"


def _proved(label: Labels, members: Sequence[Node]) -> Iterator[str]:
    reached = [label(node) for node in members if _proof(node) == "heap"]
    if reached:
        yield f"nobody but stuck tasks reaches {listed(reached)}: proved, all references are accounted for"
    if any(_proof(node) == "idle" for node in members):
        yield (
            "nothing wakes the loop, which is idle and has no timer, descriptor or thread to wait for: no "
            "thread outside of Python, no signal handler, no finalizer"
        )


def _kept(members: Sequence[Node], told: Sequence[Node]) -> Iterator[str]:
    proofs = [_proof(node) for node in told]
    # In an idle loop nothing is collected, and what was proved to stay need not be assumed.
    if "idle" not in proofs and proofs.count("kept") < len(only(members, {"task"})):
        yield "somebody keeps a reference to these tasks: one that is collected gives back what it holds"


def _holders(hops: Sequence[Hop]) -> str:
    """Whether tasks or threads hold what is held; of very many waits some tell."""
    holders = (hop.awaited.kind for hop in islice(hops, FEW) if hop.edge and hop.edge.kind == "held_by")
    kinds = {kind for kind in holders if kind in ("task", "thread")} or {"task"}
    return " and ".join(f"{kind}s" for kind in sorted(kinds))


def _proof(node: Node) -> object:
    return (node.detail or {}).get("proved")


def _escapes(label: Labels, members: Sequence[Node], hops: Sequence[Hop]) -> Iterator[str]:
    for node in members:
        if node.open:
            yield f"nobody else frees {label(node)} ({node.open})"
        if node.exc:
            yield f"nothing that {label(node)} waits for raises an exception, which would free it"
    for hop in hops:
        if hop.edge is not None and hop.edge.confidence == "probable" and not _proof(hop.waiter):
            ends = f"{label(hop.waiter)} does depend on {label(hop.awaited)}"
            yield f"{ends}, which was inferred and not read"


def _unknown_needs(snapshot: Snapshot, label: Labels, members: Sequence[Node]) -> Iterator[str]:
    several = {node.id: node for node in members if node.need > 1}
    edges = Counter(filter(several.__contains__, waits(snapshot.edges).waiter) if several else ())
    for number, node in several.items():
        if node.need > max(edges[number], 1):
            known = edges[number]
            yield f"{label(node)} needs {node.need} things and the snapshot names {known}: no other comes"


def _parents(snapshot: Snapshot, label: Labels, members: Sequence[Node]) -> Iterator[str]:
    pairs = children_in(snapshot)
    among = {node.id for node in members} if pairs else set()
    children: dict[int, list[str]] = {}
    failing: dict[int, list[str]] = {}
    for child, parent, ends in pairs:
        node, other = snapshot.nodes[child], snapshot.nodes[parent]
        if node.id in among and other.id not in among:
            children.setdefault(parent, []).append(label(node))
        elif ends and other.id in among and node.id not in among:
            failing.setdefault(parent, []).append(label(node))
    for parent, names in children.items():
        node = snapshot.nodes[parent]
        if (node.detail or {}).get("made_by") == "callback":
            name = f"{node.name} " if node.name else ""
            yield f"the done callback {name}is not called, or does not cancel {listed(names)}"
        elif (node.detail or {}).get("made_by") == "timed":
            yield f"{node.name}, which is on a timer, does not cancel {listed(names)} when it goes on"
        else:
            yield f"{label(node)} neither ends nor fails, which would cancel {listed(names)}"
    for parent, names in failing.items():
        none = f"{listed(names)} does not fail" if len(names) == 1 else f"none of {listed(names)} fails"
        yield f"{none}, which would cancel {label(snapshot.nodes[parent])}"
