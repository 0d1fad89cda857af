"""Steps of `as_completed` that wait away from the loop over them, as in `gather(*as_completed(them))`.

Up to Python 3.12 such a step knows nothing but the private queue that it waits at. The members know more:
the callback that each has shares the variables of the iterator (`as_completed` in Lib/asyncio/tasks.py).
"""

from __future__ import annotations

import types
from asyncio import queues, tasks
from typing import TYPE_CHECKING

from agraph._internal.futures import coroutine_of
from agraph._internal.leads import contents
from agraph._internal.nested import nested_code
from agraph._internal.waits import cell_of, first_of, wait_of_step
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts, LoopFacts

_ON_COMPLETION = nested_code(tasks.as_completed, "_on_completion")


def read_steps(builder: Builder, facts: Facts, loop_facts: Mapping[int, LoopFacts]) -> None:
    """Find out what such steps wait for; one of whose members none is a task stays a plain future.

    Args:
        builder: The snapshot in the making, with the rows of the tasks.
        facts: The tasks; the waits of some of them are changed.
        loop_facts: What is known of their loops.
    """
    iterators: dict[int, list[object]] = {}
    for _position, callbacks in facts.called:
        for callback, _context in callbacks:
            if type(callback) is types.FunctionType and callback.__code__ is _ON_COMPLETION:
                iterators[id(cell_of(callback, "done"))] = list(contents(callback.__closure__ or ()))
    offsets = {loop.number: loop.offset for loop in loop_facts.values()}
    for position in facts.steps:
        queue = first_of(chain(coroutine_of(facts.tasks[position]))[-1].owner, queues.Queue)
        wait = wait_of_step(iterators.get(id(queue), ()))
        node = builder.nodes[facts.numbers[position]]
        if wait is None or node is None:
            continue
        facts.waits[position] = wait
        timer = node.timer
        if wait.timer is not None:
            when = round(wait.timer + offsets.get(node.loop or 0, 0.0), 3)
            timer = when if timer is None else min(timer, when)
        builder.change(node.id, need=wait.need, timer=timer)
