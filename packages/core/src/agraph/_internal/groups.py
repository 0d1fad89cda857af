"""Tasks that go when another one goes: members of a task group whose parent does not wait for the group now.

A parent that waits in `__aexit__` has edges to the members, and those say it. But one that is still in the
body of the group, or is about to go on with a cancellation it was just handed, cancels the members as well.
And a member that fails cancels such a parent.
"""

from __future__ import annotations

import sys
import types
from asyncio import staggered, taskgroups, tasks
from typing import TYPE_CHECKING

from agraph._internal.futures import (
    coroutine_of,
    instance_dict,
    is_future,
    is_pending,
    is_task,
)
from agraph._internal.instances import attribute
from agraph._internal.kinds import is_one_of
from agraph._internal.live_frames import live_locals
from agraph._internal.waits import cell_of, values_in, with_children
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts

# Functions of asyncio that cancel what they wait for in a step of their own: `wait_for` does so up to 3.11.
_CANCELLING = {
    function.__code__
    for function in (
        staggered.staggered_race,
        *((tasks.wait_for, getattr(tasks, "_cancel_and_wait", None)) if sys.version_info < (3, 12) else ()),
    )
    if isinstance(function, types.FunctionType)
}

# In place of the node of a parent: it has none, as `max_tasks` cut it off.
_LEFT_OUT = -1


def note_parents(builder: Builder, facts: Facts) -> None:
    """Note in the row of each such task, as `parent`, with whom it goes.

    Args:
        builder: The snapshot in the making, with all tasks.
        facts: Its tasks.
    """
    groups: dict[int, int | None] = {}
    for position, callbacks in facts.called:
        for callback, _context in callbacks:
            group = group_of(callback)
            if group is None:
                continue
            if id(group) not in groups:
                groups[id(group)] = _parent_of(builder, group)
            _note(builder, facts.numbers[position], groups[id(group)], is_member=True)
    for position in [position for position, waiter in enumerate(facts.waiters) if waiter is None]:
        fact = facts[position]
        node = builder.nodes[fact.number]
        if node is not None:
            for child in _cancelled_by(fact.task, running=node.state == "running"):
                _note(builder, builder.known(child), fact.number)


def _note(builder: Builder, child: int | None, parent: int | None, *, is_member: bool = False) -> None:
    node = None if child is None else builder.nodes[child]
    if node is None or parent is None:
        return
    if parent == _LEFT_OUT:
        if node.need and node.timer is None:
            builder.open(node.id, "the task that opened its group was left out")
        return
    ends = {"ends": "parent"} if is_member else {}
    builder.change(node.id, detail={**(node.detail or {}), "parent": parent, **ends})


def group_of(callback: object) -> object:
    """The group of asyncio or anyio whose member has this callback; None for any other callback."""
    if type(callback) is types.MethodType:
        return callback.__self__ if issubclass(type(callback.__self__), taskgroups.TaskGroup) else None
    if type(callback) is types.FunctionType and callback.__code__.co_name == "task_done":
        group = cell_of(callback, "self")
        return group if _is_of_anyio(group) else None
    return None


def _is_of_anyio(group: object) -> bool:
    # Read from anyio 4.16 (TaskGroup._spawn of its asyncio backend).
    return type(group) is getattr(sys.modules.get("anyio._backends._asyncio"), "TaskGroup", None)


def _parent_of(builder: Builder, group: object) -> int | None:
    """The node of the task that opened a group; None when it has edges to the members already."""
    if _is_of_anyio(group):
        parent = attribute(attribute(group, "cancel_scope"), "_host_task")
    else:
        parent = instance_dict(group, taskgroups.TaskGroup).get("_parent_task")
    if not is_task(parent) or not is_pending(parent):
        return None
    number = builder.known(parent)
    if number is None:
        return _LEFT_OUT
    node = builder.nodes[number]
    return None if node is None or (node.detail or {}).get("made_by") == "TaskGroup" else number


def _cancelled_by(task: object, *, running: bool) -> Iterator[object]:
    """The tasks that a task, which runs or is about to, may cancel inside of a function of asyncio."""
    for values in _values_of_running(task) if running else _values_of_ready(task):
        for value in values:
            some: Iterable[object] = list(value) if is_one_of(type(value), (set, list)) else (value,)  # type: ignore[call-overload]
            for item in some:
                if is_future(item) and is_pending(item):
                    yield from with_children(item)


def _values_of_ready(task: object) -> Iterator[list[object]]:
    for link in chain(coroutine_of(task)):
        if link.frame is not None and link.frame.f_code in _CANCELLING:
            yield values_in(link.owner)


def _values_of_running(task: object) -> list[list[object]]:
    root = getattr(coroutine_of(task), "cr_frame", None)
    frame: types.FrameType | None = None
    top: types.FrameType | None = None
    try:
        for top in sys._current_frames().values():
            found: list[list[object]] = []
            frame = top
            while frame is not None:
                if frame.f_code in _CANCELLING:
                    found.append(list(live_locals(frame).values()))
                if frame is root:
                    return found
                frame = frame.f_back
        return []
    finally:
        # One of them is the frame of this very call: a variable that held it would keep all of it alive.
        del frame, top, root
