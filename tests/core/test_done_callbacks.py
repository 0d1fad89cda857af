"""Who may cancel other tasks soon: no deadlock of those is certain while the one that may do it can go on."""

import asyncio
import concurrent.futures
import contextlib
import functools

import pytest
from blocked import in_a_thread
from live import end, forever, parked, start
from proving import verdicts_in

import agraph
from agraph.reduction import judge


async def crossing(first, second):
    async with first:
        await asyncio.sleep(0)
        async with second:
            raise AssertionError("they never get here")


class Group:
    """A home-made group: when a task fails, the others are cancelled."""

    def __init__(self):
        self.tasks = set()

    def add(self, coroutine, name, callback):
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self.tasks.add(task)
        task.add_done_callback(callback)
        return task

    def cancels(self, task):
        self.tasks.discard(task)
        if not task.cancelled():
            for other in self.tasks:
                other.cancel()

    def stops(self, task):
        if not task.cancelled():
            self.cancels(task)

    def forgets(self, task):
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()


def in_closure(group):
    return lambda task: [other.cancel() for other in group.tasks if other is not task]


def in_partial(group):
    return functools.partial(lambda tasks, _: [other.cancel() for other in list(tasks)], group.tasks)


CANCEL = {
    "method": lambda group: group.cancels,
    "method of method": lambda group: group.stops,
    "closure": in_closure,
    "partial": in_partial,
}
DO_NOT = {
    "forgets": lambda group: group.forgets,
    "discards": lambda group: group.tasks.discard,
    "is about nothing": lambda _: print,
}


async def judged(callback, *others):
    """A snapshot of two tasks in a deadlock and some others, all with a callback."""
    group = Group()
    one, other = asyncio.Lock(), asyncio.Lock()
    pairs = [("left", crossing(one, other)), ("right", crossing(other, one)), *others]
    for name, coroutine in pairs:
        group.add(coroutine, name, callback(group))
    for _ in range(5):
        await asyncio.sleep(0)
    snapshot = agraph.capture()
    tasks = list(group.tasks)
    await end(*tasks)
    return snapshot


def found_in(snapshot):
    verdicts = verdicts_in(snapshot)
    return {verdicts["left"], verdicts["right"]}


@pytest.mark.parametrize("way", CANCEL)
def test_one_that_can_end_may_cancel_the_others(way):
    snapshot = asyncio.run(judged(CANCEL[way], ("live", asyncio.sleep(1000))))
    assert found_in(snapshot) == {"possible"}
    assert "the done callback " in snapshot.format()


@pytest.mark.parametrize("way", CANCEL)
def test_those_that_are_stuck_never_call_it(way):
    assert found_in(asyncio.run(judged(CANCEL[way]))) == {"certain"}


@pytest.mark.parametrize("way", DO_NOT)
def test_a_callback_that_does_not_cancel_is_no_way_out(way):
    snapshot = asyncio.run(judged(DO_NOT[way], ("live", asyncio.sleep(1000))))
    assert found_in(snapshot) == {"certain"}
    assert not [node for node in snapshot.nodes if node.type == "callback"]


def test_the_method_of_a_task_is_a_callback_too():
    async def main():
        one, other = asyncio.Lock(), asyncio.Lock()
        loop = asyncio.get_running_loop()
        left = loop.create_task(crossing(one, other), name="left")
        right = loop.create_task(crossing(other, one), name="right")
        live = loop.create_task(forever(), name="live")
        live.add_done_callback(left.cancel)
        for _ in range(5):
            await asyncio.sleep(0)
        snapshot = agraph.capture()
        await end(live, left, right)
        return snapshot

    assert found_in(asyncio.run(main())) == {"possible"}


def test_several_callbacks_lead_to_the_same_tasks():
    """Each task has a closure of its own; the live one has the last."""
    snapshot = asyncio.run(judged(in_closure, ("live", asyncio.sleep(1000)), ("more", asyncio.sleep(1000))))
    assert found_in(snapshot) == {"possible"}


# ---- tasks on a timer


async def waits_and_cancels(tasks):
    _, pending = await asyncio.wait(tasks, timeout=1000)
    for task in pending:
        task.cancel()


async def sleeps_and_cancels(tasks):
    await asyncio.sleep(1000)
    for task in tasks:
        task.cancel()


async def sleeps_and_catches(tasks):
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        tasks.clear()
        raise


async def waits_only(tasks):
    await asyncio.wait(tasks, timeout=1000)


async def cancels_another(tasks):
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(forever())]  # not those
    await sleeps_and_cancels(tasks)


async def supervised(supervisor):
    one, other = asyncio.Lock(), asyncio.Lock()
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(crossing(one, other), name="left")]
    tasks.append(loop.create_task(crossing(other, one), name="right"))
    other_task = loop.create_task(supervisor(list(tasks)), name="supervisor")
    for _ in range(5):
        await asyncio.sleep(0)
    snapshot = agraph.capture()
    await end(other_task, *tasks, *(asyncio.all_tasks() - {asyncio.current_task()}))
    return snapshot


@pytest.mark.parametrize("supervisor", [waits_and_cancels, sleeps_and_cancels], ids=lambda one: one.__name__)
def test_a_task_on_a_timer_may_cancel_those_it_has(supervisor):
    snapshot = asyncio.run(supervised(supervisor))
    assert found_in(snapshot) == {"possible"}
    assert "supervisor, which is on a timer, does not cancel " in snapshot.format()


@pytest.mark.parametrize("reschedules", [True, False])
def test_a_task_on_a_timer_may_end_the_timeouts_of_others(reschedules):
    async def main():
        one, other = asyncio.Lock(), asyncio.Lock()
        limits = []

        async def limited(first, second):
            async with asyncio.timeout(None) as limit:
                limits.append(limit)
                await crossing(first, second)

        async def ends():
            await asyncio.sleep(1000)
            for limit in limits:
                limit.reschedule(0)

        async def looks():
            await asyncio.sleep(1000)
            return [limit.when() for limit in limits]

        monitor = ends if reschedules else looks

        tasks = [start(limited(one, other), "left"), start(limited(other, one), "right"), start(monitor())]
        for _ in range(5):
            await asyncio.sleep(0)
        snapshot = agraph.capture()
        await end(*tasks)
        return snapshot

    assert found_in(asyncio.run(main())) == {"possible" if reschedules else "certain"}


HARMLESS = [sleeps_and_catches, waits_only, cancels_another]


@pytest.mark.parametrize("supervisor", HARMLESS, ids=lambda one: one.__name__)
def test_a_task_on_a_timer_that_does_not_cancel_them(supervisor):
    assert found_in(asyncio.run(supervised(supervisor))) == {"certain"}


# ---- threads with a timeout


def asks_and_cancels(future):
    try:
        future.result(timeout=1000)
    except TimeoutError:
        future.cancel()


def asks_only(future):
    with contextlib.suppress(asyncio.CancelledError, concurrent.futures.CancelledError):
        future.result(timeout=1000)


def asks_for_ever_and_cancels(future):
    try:
        future.result()
    except ValueError:
        future.cancel()


async def alone():
    lock = asyncio.Lock()
    async with lock, lock:
        pass


@pytest.mark.parametrize(
    ("asks", "verdict"),
    [(asks_and_cancels, "possible"), (asks_only, "certain"), (asks_for_ever_and_cancels, "certain")],
)
def test_a_thread_that_waits_for_a_task_with_a_timeout_may_cancel_it(asks, verdict):
    async def main():
        loop = asyncio.get_running_loop()
        future = asyncio.run_coroutine_threadsafe(alone(), loop)

        def ask():
            with contextlib.suppress(concurrent.futures.CancelledError):
                asks(future)

        with in_a_thread(ask, future.cancel):
            while not (tasks := asyncio.all_tasks() - {asyncio.current_task()}):
                await asyncio.sleep(0)
            await parked(*tasks)
            found = agraph.capture()
            await end(*tasks)
        return found

    assert judge(asyncio.run(main())).verdict == verdict
