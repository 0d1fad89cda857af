"""Who completes a concurrent future: tasks of other loops, coroutines not yet started, worker threads."""

import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import threading
import weakref

import pytest
from blocked import (
    capture,
    edges,
    from_node,
    in_a_thread,
    loop_calling,
    loop_of,
    nodes_of,
    stuck,
    thread_of,
    until,
)
from live import end, parked, start
from other_process import hangs
from snapshots import task

import agraph
from agraph._internal import executors


def result_of(coroutine, loop, box):
    box.append(asyncio.run_coroutine_threadsafe(coroutine, loop))
    return box[-1].result()


async def inner():
    await asyncio.sleep(1000)


def test_a_loop_waits_for_a_coroutine_that_only_it_could_start():
    box = []

    def blocks():
        result_of(coroutine, asyncio.get_running_loop(), box)

    coroutine = inner()
    with loop_calling(blocks, lambda: box[0].cancel()):
        snapshot = capture()
    coroutine.close()
    assert edges(snapshot) >= {
        ("task main", "thread", "thread worker", "exact"),
        ("thread worker", "await", "future", "exact"),
        ("future", "cross_loop", "work_item inner", "exact"),
        ("work_item inner", "cross_loop", "loop worker", "exact"),
        ("loop worker", "thread", "thread worker", "exact"),
    }
    assert {"task main", "task bystander", "loop worker", "thread worker", "future"} <= stuck(snapshot)
    (item,) = nodes_of(snapshot, "work_item")
    assert [site.function for site in snapshot.stack_of(item)] == ["inner"]
    assert [node.open for node in snapshot.nodes if node.kind in ("work_item", "future")] == ["", ""]


@contextlib.contextmanager
def other_loop(name="other"):
    """A loop in a thread that turns; its coroutines are cancelled at the end."""
    loops, ready = [], threading.Event()

    async def main():
        asyncio.current_task().set_name(f"main of {name}")
        loops.append((asyncio.get_running_loop(), stop := asyncio.Event()))
        ready.set()
        await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name=name, daemon=True)
    thread.start()
    assert ready.wait(20)
    loop, stop = loops[0]
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
    assert not thread.is_alive()


async def named(name, wait):
    asyncio.current_task().set_name(name)
    await wait()


def test_a_task_waits_for_a_task_of_another_loop():
    async def main(other):
        far = asyncio.run_coroutine_threadsafe(named("far", inner), other)
        near = start(named("near", lambda: asyncio.wrap_future(far)), "near")
        await parked(near)
        snapshot = until(lambda: (s := capture()) and [t for t in s.tasks if t.name == "far"] and s)
        await end(near)
        return snapshot

    with other_loop() as other:
        snapshot = asyncio.run(main(other))
    (crossing,) = [edge for edge in edges(snapshot) if edge[1] == "cross_loop"]
    assert crossing == ("future", "cross_loop", "task far", "exact")
    assert {node.detail["made_by"] for node in nodes_of(snapshot, "future") if node.detail} == {
        "wrap_future",
        "run_coroutine_threadsafe",
    }
    assert snapshot.capture.where == "thread"


def test_two_loops_wait_for_each_other():
    """No thread is blocked, no lock is held: only the tasks of two loops, each awaiting the other."""

    async def main(other):
        loop = asyncio.get_running_loop()
        back = loop.create_future()
        tasks = {}

        async def far():
            asyncio.current_task().set_name("far")
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(waits_for("near"), loop))

        async def waits_for(name):
            asyncio.current_task().set_name(f"asks for {name}")
            await tasks[name]

        async def near():
            asyncio.current_task().set_name("near")
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(far(), other))

        tasks["near"] = start(near(), "near")
        while "asks for near" not in {t.get_name() for t in asyncio.all_tasks()}:
            await asyncio.sleep(0)
        (asks,) = [t for t in asyncio.all_tasks() if t.get_name() == "asks for near"]
        await parked(asks, tasks["near"])
        snapshot = until(
            lambda: (s := capture()) and {"far"} <= {t.name for t in s.tasks if t.state == "waiting"} and s
        )
        await end(tasks["near"])
        del back
        return snapshot

    with other_loop() as other:
        snapshot = asyncio.run(main(other))
    assert {"task near", "task far", "task asks for near"} <= stuck(snapshot)
    assert {edge[3] for edge in edges(snapshot) if edge[0] in ("task near", "task far")} == {"exact"}


def test_nothing_is_claimed_of_a_loop_that_is_not_captured():
    begun = threading.Event()

    async def begins():
        begun.set()
        await inner()

    async def main(other):
        far = asyncio.run_coroutine_threadsafe(named("far", begins), other)
        near = start(named("near", lambda: asyncio.wrap_future(far)), "near")
        await parked(near)
        assert begun.wait(20)
        snapshot = agraph.capture(all_threads=False)
        await end(near)
        return snapshot

    with other_loop() as other:
        snapshot = asyncio.run(main(other))
    assert [node.name for node in nodes_of(snapshot, "loop")] == [threading.current_thread().name]
    (crossing,) = [edge for edge in snapshot.edges if edge.kind == "cross_loop"]
    (far,) = [node for node in snapshot.nodes if node.id == crossing.awaited]
    assert (far.kind, far.loop, far.need) == ("task", None, 0)
    assert "task near" not in stuck(snapshot)


def test_a_result_on_its_way_waits_for_the_loop_that_passes_it_on():
    """The worker is done; the loop that has to take the result is blocked by something else."""
    go, leave, work = threading.Event(), threading.Event(), []

    async def main():
        work.append(pool.submit(go.wait))
        wants = start(named("wants", lambda: asyncio.wrap_future(work[0])), "wants")
        await parked(wants)
        asyncio.current_task().set_name("main")
        leave.wait()
        await wants

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with in_a_thread(lambda: asyncio.run(main()), leave.set):
            until(lambda: "task main" in stuck(capture()))
            go.set()
            work[0].result()
            snapshot = capture()
    assert {"task wants", "loop worker"} <= stuck(snapshot)
    (item,) = nodes_of(snapshot, "work_item")
    assert (item.state, item.need) == ("done", 0)


# ---- pools


@contextlib.contextmanager
def a_pool(size):
    pool = concurrent.futures.ThreadPoolExecutor(size, thread_name_prefix="pool")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def test_a_task_waits_for_a_running_worker():
    leave, begun = threading.Event(), threading.Event()

    def crunch():
        begun.set()
        while not leave.is_set():
            pass

    async def main():
        asker = start(asyncio.to_thread(crunch), "asker")
        await asyncio.to_thread(begun.wait, 20)
        snapshot = capture()
        leave.set()
        await asker
        return snapshot

    snapshot = asyncio.run(main())
    (item,) = nodes_of(snapshot, "work_item")
    assert (item.name.rpartition(".")[2], item.state, item.need) == ("crunch", "running", 1)
    ((kind, target, confidence),) = from_node(snapshot, f"work_item {item.name}")
    assert (kind, confidence) == ("thread", "exact")
    thread = thread_of(snapshot, target.removeprefix("thread "))
    assert (thread.state, thread.need) == ("running", 0)
    assert any(site.function.endswith("crunch") for site in snapshot.stack_of(thread))
    assert "task asker" not in stuck(snapshot)


def test_a_worker_waits_for_a_task_of_the_loop_that_waits_for_it():
    async def main():
        loop = asyncio.get_running_loop()
        lock, box = asyncio.Lock(), []

        async def takes():
            asyncio.current_task().set_name("takes")
            async with lock:
                pass

        async def asks():
            async with lock:
                with contextlib.suppress(BaseException):
                    await asyncio.to_thread(result_of, takes(), loop, box)

        asker = start(asks(), "asks")
        while not box:
            await asyncio.sleep(0)
        snapshot = await asyncio.get_running_loop().run_in_executor(
            None, until, lambda: (s := capture()) and "task asks" in stuck(s) and s
        )
        box[0].cancel()
        await asker
        return snapshot

    snapshot = asyncio.run(main())
    assert {"task asks", "task takes", "work_item result_of"} <= stuck(snapshot)
    assert ("future", "cross_loop", "task takes", "exact") in edges(snapshot)
    assert {edge[3] for edge in edges(snapshot) if edge[0] == "work_item result_of"} == {"exact"}


def test_a_pool_whose_only_worker_waits_for_what_is_queued_behind_it():
    with a_pool(1) as pool:
        box = []

        def outer():
            box.append(pool.submit(queued))
            with contextlib.suppress(concurrent.futures.CancelledError):
                box[0].result()

        def queued():
            raise AssertionError("it ran")

        async def main():
            asker = start(waits_in(pool, outer), "asker")
            while not box:
                await asyncio.sleep(0)
            snapshot = until(lambda: (s := capture()) and "task asker" in stuck(s) and s)
            box[0].cancel()
            await asker
            return snapshot

        snapshot = asyncio.run(main())
    (item,) = [node for node in nodes_of(snapshot, "work_item") if node.state == "queued"]
    assert item.name.endswith("queued")
    assert from_node(snapshot, f"work_item {item.name}") == {("thread", "thread pool_0", "exact")}
    assert from_node(snapshot, "thread pool_0") == {("await", f"work_item {item.name}", "exact")}
    assert all(node.open == "" for node in nodes_of(snapshot, "work_item"))


async def waits_in(pool, function):
    await asyncio.get_running_loop().run_in_executor(pool, function)


def starve(size):
    """All workers of a pool blocked, and one item behind them; what is seen of that."""
    leave = threading.Event()
    begun = threading.Semaphore(0)

    def busy():
        begun.release()
        leave.wait()

    with a_pool(size) as pool:

        async def main():
            loop = asyncio.get_running_loop()
            futures = [loop.run_in_executor(pool, busy) for _ in range(size)]
            for _ in futures:
                assert begun.acquire(timeout=20)
            behind = start(waits_in(pool, int), "behind")
            await parked(behind)
            snapshot = until(
                lambda: (s := capture()) and [n for n in nodes_of(s, "work_item") if n.detail] and s
            )
            leave.set()
            await asyncio.gather(*futures)
            await behind
            return snapshot

        return asyncio.run(main())


def test_work_is_queued_behind_all_workers():
    snapshot = starve(2)
    (item,) = [node for node in nodes_of(snapshot, "work_item") if node.state == "queued"]
    assert item.need == 1
    waits = {edge.awaited for edge in snapshot.edges if edge.waiter == item.id}
    assert len(waits) == 2
    assert {node.kind for node in snapshot.nodes if node.id in waits} == {"thread"}
    (event,) = nodes_of(snapshot, "event")
    assert event.open == "whoever has the event may set it"


def test_a_pool_that_was_collected_starts_no_more_workers():
    """Its workers end once the queue is empty; until then what is queued waits for them."""
    leave, begun = threading.Event(), threading.Event()

    def busy():
        begun.set()
        leave.wait()

    pool = concurrent.futures.ThreadPoolExecutor(5)
    first = pool.submit(busy)
    assert begun.wait(20)
    pool._idle_semaphore.release()  # as if the worker were free: then the next one starts no other
    behind = pool.submit(int)
    gone = weakref.ref(pool)
    del pool
    until(lambda: gone() is None)

    async def main():
        waits = start(named("waits", lambda: asyncio.wrap_future(behind)), "waits")
        await parked(waits)
        snapshot = capture()
        leave.set()
        await waits
        return snapshot

    snapshot = asyncio.run(main())
    first.result()
    (item,) = [node for node in nodes_of(snapshot, "work_item") if node.state == "queued"]
    assert item.need == 1


def test_a_worker_that_is_free_will_take_what_is_queued(monkeypatch):
    """Where one of the workers is not seen to be busy, nothing holds the work up."""
    real = executors.Executors._running

    def forgets_one(index, ident, item):
        if item is not None and forgotten.setdefault("ident", ident) != ident:
            real(index, ident, item)

    forgotten = {}

    monkeypatch.setattr(executors.Executors, "_running", forgets_one)
    snapshot = starve(2)
    (item,) = [node for node in nodes_of(snapshot, "work_item") if node.state == "queued"]
    assert item.need == 0
    assert "task behind" not in stuck(snapshot)


def test_a_concurrent_future_that_nobody_is_known_to_complete_is_open():
    async def main():
        lone = concurrent.futures.Future()
        asker = start(named("asker", lambda: asyncio.wrap_future(lone)), "asker")
        await parked(asker)
        snapshot = capture()
        await end(asker)
        return snapshot

    snapshot = asyncio.run(main())
    (item,) = nodes_of(snapshot, "work_item")
    assert (item.need, item.open) == (1, "no known thread or task completes this future")


def test_the_work_of_another_process_is_outside():
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()

    async def main(pool):
        loop = asyncio.get_running_loop()
        asker = start(named("asker", lambda: loop.run_in_executor(pool, hangs, theirs)), "asker")
        await parked(asker)
        snapshot = capture()
        ours.send(None)
        await asker
        return snapshot

    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        snapshot = asyncio.run(main(pool))
    ours.close()
    theirs.close()
    (item,) = nodes_of(snapshot, "work_item")
    assert (item.need, item.detail) == (0, {"pool": "processes"})
    assert "task asker" not in stuck(snapshot)


def test_pools_that_are_not_understood_leave_their_work_open(monkeypatch):
    from agraph._internal import crossing

    monkeypatch.setattr(crossing, "_POOLS_WORK", False)
    snapshot = None

    async def main():
        leave = threading.Event()
        asker = start(asyncio.to_thread(leave.wait), "asker")
        await parked(asker)
        snapshot = capture()
        leave.set()
        await asker
        return snapshot

    snapshot = asyncio.run(main())
    assert task(snapshot, "asker").need == 1
    assert executors.works()
    assert loop_of(snapshot, threading.current_thread().name).state == "running"


@pytest.mark.parametrize("broken", ["_threads_queues"])
def test_a_pool_of_another_make_costs_only_its_detail(monkeypatch, broken):
    from concurrent.futures import thread

    monkeypatch.delattr(thread, broken)

    async def main():
        asker = start(named("asker", lambda: asyncio.wrap_future(concurrent.futures.Future())), "asker")
        await parked(asker)
        snapshot = agraph.capture()
        await end(asker)
        return snapshot

    snapshot = asyncio.run(main())
    assert any("AttributeError" in sentence for sentence in snapshot.capture.errors)
    assert [node.open for node in nodes_of(snapshot, "work_item")] == [
        "no known thread or task completes this future"
    ]
