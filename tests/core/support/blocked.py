"""Threads that are blocked for as long as a test needs them to be."""

import asyncio
import contextlib
import sys
import threading
import time

import agraph

PATIENCE_S = 20


def until(found):
    """Ask again and again until the answer is something, and return that."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.001)
    raise AssertionError(f"{found} found nothing within {PATIENCE_S} s")


def stands_in(thread, function):
    """Whether the innermost frame of a thread is of this function."""
    top = sys._current_frames().get(thread.ident)
    return top is not None and top.f_code.co_name == function


@contextlib.contextmanager
def loop_calling(blocks, release, *, function="wait", name="worker"):
    """A loop in a thread, in which the task `main` calls `blocks()`; ends after `release()`.

    Args:
        blocks: What blocks the thread of the loop; its exceptions are none of the test's business.
        release: What ends that.
        function: In which function the thread then stands.
        name: The name of the thread.
    """

    async def main():
        asyncio.current_task().set_name("main")
        bystander = asyncio.create_task(asyncio.sleep(1000), name="bystander")
        await asyncio.sleep(0)
        with contextlib.suppress(Exception):
            blocks()
        bystander.cancel()

    with in_a_thread(lambda: asyncio.run(main()), release, function=function, name=name) as thread:
        yield thread


@contextlib.contextmanager
def in_a_thread(target, release, *, function="wait", name="worker"):
    """A thread that stands in a function; ends after `release()`."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    try:
        until(lambda: stands_in(thread, function))
        yield thread
    finally:
        release()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def nodes_of(snapshot, kind):
    return [node for node in snapshot.nodes if node.kind == kind]


def thread_of(snapshot, name="worker"):
    (found,) = [node for node in nodes_of(snapshot, "thread") if node.name == name]
    return found


def loop_of(snapshot, name="worker"):
    (found,) = [node for node in nodes_of(snapshot, "loop") if node.name == name]
    return found


def edges(snapshot):
    """All wait edges as (waiter, kind, awaited, confidence), by kind and name."""
    label = {node.id: f"{node.kind} {node.name}".strip() for node in snapshot.nodes}
    return {
        (label[edge.waiter], edge.kind, label[edge.awaited], edge.confidence)
        for edge in snapshot.edges
        if edge.kind != "structural"
    }


def from_node(snapshot, label):
    """The edges that begin at a node, without its name."""
    return {edge[1:] for edge in edges(snapshot) if edge[0] == label}


def live(snapshot):
    """The ids of the nodes that can proceed without a timer or anyone unknown: the rule of the format."""
    nodes = {node.id: node for node in snapshot.nodes}
    waits = {}
    for edge in snapshot.edges:
        if edge.kind != "structural":
            waits.setdefault(edge.waiter, []).append(edge.awaited)
    found = set()
    grown = True
    while grown:
        new = {
            number
            for number, node in nodes.items()
            if number not in found
            and sum(awaited in found for awaited in waits.get(number, ())) >= node.need
            and (node.loop is None or node.loop in found)
        }
        found |= new
        grown = bool(new)
    return found


def stuck(snapshot):
    """What cannot proceed, by kind and name."""
    alive = live(snapshot)
    return {f"{node.kind} {node.name}".strip() for node in snapshot.nodes if node.id not in alive}


def capture():
    """A snapshot that was not disturbed, and that the format can hold."""
    snapshot = agraph.capture()
    assert snapshot.capture.errors == ()
    assert sorted(agraph.Snapshot.from_dict(snapshot.to_dict()).nodes) == sorted(snapshot.nodes)
    return snapshot
