"""States, stacks, and loops of every thread."""

import asyncio
import gc
import sys

from live import forever, parked, start
from snapshots import captured, in_thread, run, task

import agraph


def test_states_of_tasks():
    async def main():
        async def created():
            pass

        pending = start(created(), "created")
        me = asyncio.current_task()
        me.set_name("running")
        woken = asyncio.get_running_loop().create_future()

        async def ready():
            await woken

        task_ready = start(ready(), "ready")
        await parked(task_ready)
        woken.set_result(None)
        fresh = start(created(), "fresh")
        snapshot = agraph.capture()
        await asyncio.gather(pending, task_ready, fresh)
        return snapshot

    snapshot = run(main())
    states = {n.name: (n.state, n.need) for n in snapshot.tasks}
    assert states == {"running": ("running", 0), "ready": ("ready", 0), "fresh": ("created", 0)}


def test_stacks_are_innermost_first_without_agraph():
    async def main():
        async def inner():
            await forever()

        async def outer():
            await inner()

        asyncio.current_task().set_name("main")
        return await captured(outer())

    snapshot = run(main())
    functions = [site.function.rpartition(".")[2] for site in snapshot.stack_of(task(snapshot, "outer"))]
    assert functions == ["forever", "inner", "outer"]
    functions = [site.function.rpartition(".")[2] for site in snapshot.stack_of(task(snapshot, "main"))]
    assert functions == ["captured", "main"]
    (site, *_) = snapshot.stack_of(task(snapshot, "outer"))
    assert site.line > 0


def test_loops_of_all_threads_seen_from_a_thread_without_loop():
    stop = {}

    async def main(ready):
        asyncio.current_task().set_name("elsewhere")
        stop["loop"], stop["event"] = asyncio.get_running_loop(), asyncio.Event()
        ready()
        await stop["event"].wait()

    thread = in_thread(main)
    snapshot = agraph.capture()
    while task(snapshot, "elsewhere").state != "waiting":
        snapshot = agraph.capture()
    stop["loop"].call_soon_threadsafe(stop["event"].set)
    thread.join(10)
    assert snapshot.capture.where == "thread"
    loops = {n.id: n for n in snapshot.nodes if n.kind == "loop"}
    assert loops[task(snapshot, "elsewhere").loop].name == "other"


def test_only_this_loop():
    stop = {}

    async def main(ready):
        stop["loop"], stop["event"] = asyncio.get_running_loop(), asyncio.Event()
        ready()
        await stop["event"].wait()

    thread = in_thread(main)

    async def here():
        asyncio.current_task().set_name("here")
        return agraph.capture(all_threads=False), agraph.capture()

    only, all_of_them = asyncio.run(here())
    stop["loop"].call_soon_threadsafe(stop["event"].set)
    thread.join(10)
    assert [n.name for n in only.tasks] == ["here"]
    assert len(all_of_them.tasks) == 2
    assert (only.capture.where, all_of_them.capture.where) == ("loop", "thread")


def test_without_any_loop():
    gc.collect()
    snapshot = agraph.capture()
    assert snapshot.tasks == ()
    assert snapshot.process.pid > 0
    assert snapshot.process.python.startswith(".".join(map(str, sys.version_info[:3])))
