"""Random live programs, captured again and again: no task that is called `certain` ever moves afterwards.

The programs deadlock often, by locks taken in random order, and time out of it often as well. What the report
assumes holds in them: nobody cancels a task from outside, and locks are released by those who took them.
"""

import asyncio
import random
import threading

import pytest

import agraph
from agraph_cli.analysis.judge import analyze_one

SECONDS = 1.5


class Program:
    """A handful of tasks that take, wait, put, get, gather and time out as a random generator says.

    Attributes:
        steps: How many steps each task has taken, by its name.
        accused_at: The same, when a task was first called certain.
    """

    def __init__(self, seed):
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
        self.started.set()
        _, pending = await asyncio.wait(tasks, timeout=SECONDS)
        self.ending.set()  # what follows comes from outside
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
        choices += [self.shields, self.groups, self.notifies]
        await self.random.choice(choices)(depth)

    async def deeper(self, depth):
        self.moved()
        if depth:
            await self.acts(depth - 1)
        else:
            await asyncio.sleep(self.random.choice([0, 0.0005]))

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


@pytest.mark.parametrize("seed", range(8))
def test_no_task_called_certain_ever_moves(seed, tmp_path):
    program = Program(seed)
    thread = threading.Thread(target=lambda: asyncio.run(program.main()), daemon=True)
    thread.start()
    assert program.started.wait(10)
    accused, named, captures = {}, {}, 0
    while thread.is_alive():
        snapshot = agraph.capture()
        steps = dict(program.steps)
        nodes = {node.key: node for node in snapshot.tasks}
        moved = [node for key, node in accused.items() if key not in nodes or nodes[key].wait != node.wait]
        moved += [node for node in accused.values() if steps.get(node.name) != program.accused_at[node.name]]
        if program.ending.is_set():
            break
        if moved:
            named[moved[0].key].save(tmp_path / "accused.json")
            snapshot.save(tmp_path / "moved.json")
        assert not moved, f"the snapshots before and after are in {tmp_path}"
        captures += 1
        for node in certain_in(snapshot):
            if node.key not in accused:
                named[node.key] = snapshot
                accused[node.key] = node
                program.accused_at[node.name] = steps.get(node.name)
    thread.join(20)
    assert not thread.is_alive()
    assert captures > 5


def certain_in(snapshot):
    return [node for node, verdict in analyze_one(snapshot).tasks() if verdict == "certain"]
