"""Random live programs, captured again and again: no task that is called `certain` ever moves afterwards.

Half of them are captured with a proof, by another thread or by their own loop, and wait for events, queues and futures
that somebody frees, or nobody, who has them by one way or another.

The programs deadlock often, by locks taken in random order, and time out of it often as well. What the report
assumes holds in them: nobody cancels a task from outside, and locks are released by those who took them.
"""

import asyncio
import contextlib
import contextvars
import ctypes
import functools
import gc
import itertools
import random
import threading
import time
import weakref

import pytest

import agraph
from agraph_cli.analysis.judge import analyze_one

# Tasks that nobody holds are collected in the middle; what they say then is not the matter here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SECONDS = 1.5
GLOBALS = {}
VARIABLE = contextvars.ContextVar("VARIABLE")


def cached(thing):
    held = functools.lru_cache(lambda _key: GLOBALS.pop(id(thing)))
    GLOBALS[id(thing)] = thing
    held(1)
    return held


def generated(thing):
    held = (each for each in (None, thing))
    next(held)
    return held


def in_context(thing):
    held = contextvars.copy_context()
    held.run(VARIABLE.set, thing)
    return held


def in_globals(thing):
    GLOBALS[id(thing)] = thing
    return functools.partial(GLOBALS.pop, id(thing))


# What a task may have in place of a thing, and how it gets at the thing.
WAYS = [
    (lambda thing: thing, lambda held: held),
    (in_globals, lambda held: held()),
    (lambda thing: lambda: thing, lambda held: held()),
    (lambda thing: type("Own", (), {"thing": thing})(), lambda held: held.thing),
    (weakref.ref, lambda held: held()),
    (lambda thing: weakref.WeakValueDictionary({1: thing}), lambda held: held.get(1)),
    (lambda thing: itertools.chain([thing]), next),
    (itertools.repeat, next),
    (lambda thing: functools.partial(max, thing), lambda held: held.args[0]),
    (cached, lambda held: held(1)),
    (in_context, lambda held: held[VARIABLE]),
    (generated, next),
    (ctypes.py_object, lambda held: held.value),
]
# What can be waited for, how, and how that is freed.
THINGS = [
    (asyncio.Event, asyncio.Event.wait, asyncio.Event.set),
    (asyncio.Queue, asyncio.Queue.get, lambda queue: queue.put_nowait(1)),
    (lambda: asyncio.Semaphore(0), asyncio.Semaphore.acquire, asyncio.Semaphore.release),
    (asyncio.Future, asyncio.wait_for, lambda future: future.done() or future.set_result(1)),
]


def let_go(free, get, held):
    thing = get(held)
    if thing is not None:  # there may have been a weak reference only
        free(thing)


class Program:
    """A handful of tasks that take, wait, put, get, gather and time out as a random generator says.

    Attributes:
        steps: How many steps each task has taken, by its name.
        accused_at: The same, when a task was first called certain.
    """

    def __init__(self, seed, *, private=False):
        self.private = private
        self.random = random.Random(seed)
        self.steps = {}
        self.accused_at = {}
        self.children = 0
        self.started, self.ending = threading.Event(), threading.Event()

    async def main(self):
        self.locks = [asyncio.Lock() for _ in range(4)]
        self.semaphore = asyncio.BoundedSemaphore(2)
        self.queue = asyncio.Queue(2)
        self.condition = asyncio.Condition()
        self.event = asyncio.Event()
        tasks = [asyncio.create_task(self.works(f"task-{n}"), name=f"task-{n}") for n in range(8)]
        self.loop, self.tasks = asyncio.get_running_loop(), tasks
        if self.random.random() < 0.5 and hasattr(asyncio, "eager_task_factory"):
            self.loop.set_task_factory(asyncio.eager_task_factory)
        self.started.set()
        await asyncio.wait(tasks)  # without a timeout: it is stuck as soon as one of them is

    def end(self):
        """Cancel all that is left; this comes from outside. To be called by the loop."""
        self.ending.set()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()

    def moved(self):
        name = asyncio.current_task().get_name()
        self.steps[name] = self.steps.get(name, 0) + 1

    async def works(self, name):
        while True:
            self.moved()
            try:
                async with asyncio.timeout(self.random.choice([None, None, None, 0.05])):
                    await self.acts(self.random.randrange(3))
            except TimeoutError:
                pass
            self.moved()
            await asyncio.sleep(self.random.choice([0, 0, 0.001]))

    async def acts(self, depth):
        choices = [
            self.locks_two,
            self.holds_one,
            self.shares,
            self.puts,
            self.gets,
            self.gathers,
            self.races,
        ]
        choices += [self.shields, self.groups, self.notifies, self.cancels]
        if self.private:
            choices = [self.privately] * 3 + [
                self.shields,
                self.gathers,
                self.races,
                self.groups,
                self.cancels,
            ]
        await self.random.choice(choices)(depth)

    async def deeper(self, depth):
        self.moved()
        with self.telling():
            if depth:
                await self.acts(depth - 1)
            else:
                await asyncio.sleep(self.random.choice([0, 0.0005]))

    @contextlib.contextmanager
    def telling(self):
        """A step is taken when a wait ends, in whatever way; not when the task is collected, as nobody holds it."""
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException:
            self.moved()
            raise
        else:
            self.moved()

    async def locks_two(self, depth):
        first, second = self.random.sample(self.locks, 2)
        async with first:
            await asyncio.sleep(0)
            async with second:
                await self.deeper(depth)

    async def holds_one(self, depth):
        lock = self.random.choice(self.locks)
        await lock.acquire()
        try:
            await self.deeper(depth)
        finally:
            lock.release()

    async def shares(self, depth):
        async with self.semaphore:
            await self.deeper(depth)

    async def puts(self, depth):
        await self.queue.put(depth)

    async def gets(self, depth):
        await self.queue.get()

    def child(self, depth):
        self.children += 1
        return asyncio.create_task(self.deeper(min(depth, 1)), name=f"child-{self.children}")

    async def gathers(self, depth):
        await asyncio.gather(
            self.child(depth), self.child(depth), return_exceptions=self.random.random() < 0.5
        )

    async def races(self, depth):
        members = [self.child(depth), self.child(depth)]
        await asyncio.wait(members, return_when=self.random.choice(["FIRST_COMPLETED", "ALL_COMPLETED"]))

    async def shields(self, depth):
        await asyncio.shield(self.child(depth))

    async def groups(self, depth):
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(self.deeper(min(depth, 1)), name=f"member-{random.random()}")

    async def notifies(self, depth):
        async with self.condition:
            self.condition.notify()
            if self.random.random() < 0.3:
                await self.condition.wait()

    async def cancels(self, depth):
        """Cancel a task that could go on by itself."""
        child = asyncio.create_task(asyncio.sleep(1000), name="sleeper")
        await self.deeper(min(depth, 1))
        child.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await child

    async def privately(self, depth):
        """Wait for something that few others know."""
        make, wait, free = self.random.choice(THINGS)
        thing = make()
        self.hand(thing, free, depth)
        if make is asyncio.Future:
            await thing
        else:
            await wait(thing)

    def hand(self, thing, free, depth):
        """Let somebody free a thing soon, or nobody."""
        hold, get = self.random.choice(WAYS)
        held, who = hold(thing), self.random.random()
        self.children += 1
        if who < 0.5:
            coroutine = self.frees(held, get, free, min(depth, 1))
            asyncio.create_task(coroutine, name=f"child-{self.children}")
        elif who < 0.7:
            self.loop.call_later(0.002, let_go, free, get, held)
        elif who < 0.85:
            pause = threading.Timer(0.002, self.from_thread, (free, get, held))
            pause.daemon = True
            pause.start()

    def from_thread(self, free, get, held):
        if not self.ending.is_set():
            self.loop.call_soon_threadsafe(let_go, free, get, held)

    async def frees(self, held, get, free, depth):
        self.moved()
        try:
            await self.deeper(depth)
            with self.telling():
                await asyncio.sleep(self.random.choice([0, 0.001, 0.005]))
        finally:
            if self.random.random() < 0.8:
                let_go(free, get, held)


class Accuser:
    """Compares the steps of tasks with those that they had taken when they were first called certain.

    A task that is collected has not moved, although a capture in the middle of that shows it with its wait ended.
    """

    def __init__(self, program, folder, *, prove):
        self.program, self.folder, self.prove = program, folder, prove
        self.accused, self.named, self.captures, self.proved = {}, {}, 0, 0

    def has_seen_enough(self):
        return self.captures >= 2 and (self.proved > 0 or not self.prove)

    def look(self):
        """Capture once; nothing is said of a program that is about to end."""
        before = dict(self.program.steps)
        snapshot = agraph.capture(prove=self.prove)
        steps = dict(self.program.steps)
        at = self.program.accused_at
        moved = [node for node in self.accused.values() if steps.get(node.name) != at[node.name]]
        if self.program.ending.is_set():
            return
        if moved:
            self.named[moved[0].key].save(self.folder / "accused.json")
            snapshot.save(self.folder / "moved.json")
        assert not moved, f"the snapshots before and after are in {self.folder}"
        self.captures += 1
        self.proved += sum("proved" in (node.detail or {}) for node in snapshot.nodes)
        for node in certain_in(snapshot):
            if node.key not in self.accused and before.get(node.name) == steps.get(node.name):
                self.named[node.key] = snapshot
                self.accused[node.key] = node
                at[node.name] = steps.get(node.name)


def run_and_look(program, accuser):
    """Run a program for some time, and capture it meanwhile from here."""
    thread = threading.Thread(target=lambda: asyncio.run(ended(program)), daemon=True)
    thread.start()
    assert program.started.wait(10)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end or not accuser.has_seen_enough():  # however slow the machine is
            accuser.look()
    finally:
        program.loop.call_soon_threadsafe(program.end)
        thread.join(20)
    assert not thread.is_alive()


async def ended(program):
    with contextlib.suppress(asyncio.CancelledError):
        await program.main()


@pytest.mark.parametrize("seed", range(5))
def test_no_task_called_certain_ever_moves(seed, tmp_path):
    program = Program(seed)
    accuser = Accuser(program, tmp_path, prove=False)
    run_and_look(program, accuser)
    assert accuser.captures >= 2


@pytest.mark.parametrize("seed", range(4))
def test_nor_does_one_that_is_proved_to_be_stuck(seed, tmp_path):
    program = Program(seed, private=True)
    accuser = Accuser(program, tmp_path, prove=True)
    run_and_look(program, accuser)
    assert accuser.captures >= 2
    assert accuser.proved


@pytest.mark.parametrize("seed", range(4))
def test_nor_by_its_own_loop(seed, tmp_path):
    """The loop captures between two calls; every now and then it collects what nobody refers to."""
    program = Program(seed, private=True)
    accuser = Accuser(program, tmp_path, prove=True)
    failures = []
    end = time.monotonic() + SECONDS

    def look():
        try:
            accuser.look()
            if accuser.captures % 10 == 0:
                gc.collect()
            late = time.monotonic() - end  # some programs come to rest with nothing that can be proved
            over = late > 20 or (late > 0 and accuser.has_seen_enough())
        except BaseException as error:  # noqa: BLE001 - a timeout too: nothing else would end the program
            failures.append(error)
            program.end()
        else:
            # Nothing else ends the program: a timer that leads to its tasks might free them.
            program.loop.call_soon(program.end) if over else program.loop.call_later(0.005, look)

    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(look)
        await ended(program)

    asyncio.run(main())
    assert not failures, failures
    assert accuser.captures >= 2


def certain_in(snapshot):
    return [node for node, verdict in analyze_one(snapshot).tasks() if verdict == "certain"]
