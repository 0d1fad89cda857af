"""Who may cancel other tasks soon: a done callback, once its task ends, and a task on a timer that goes on.

A home-made group cancels the rest of its tasks when one of them fails (`task.add_done_callback(self._done)`).
What the callback does is not known. So it counts only if it leads to tasks and its code, or what that calls
by name, says `cancel`; and it frees nobody for sure. The same goes for a task that waits with a timeout, or
sleeps, in a function that says `cancel` (`await asyncio.wait(tasks, timeout=5)`, then `task.cancel()`), or
`reschedule`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agraph._internal.bridges import code_of, identity_of, operands_of
from agraph._internal.futures import is_task
from agraph._internal.groups import group_of
from agraph._internal.instances import class_attribute
from agraph._internal.leads import Leads, contents, items_of_task, named_globals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts

_ASYNCIO = str(Path(asyncio.__file__).parent) + os.sep
_BUDGET = 200_000
_STEPS = 2
# To give a timeout another deadline, such as now, cancels the task that is in it.
_ALSO = ("reschedule",)


def note_callbacks(builder: Builder, facts: Facts) -> None:
    """Make a row for each such callback, which waits for any task that has it, and note whom it may cancel.

    Args:
        builder: The snapshot in the making, with all tasks and their parents.
        facts: Its tasks.
    """
    callbacks = _Callbacks(builder, facts)
    for position, found in facts.called:
        for callback, _context in found:
            callbacks.add(facts.numbers[position], callback)
    stacks = builder.sites.stacks_with(_is_of_the_program_and_says_cancel)
    for position, number in enumerate(facts.numbers if stacks else ()):
        node = builder.nodes[number]
        if node is not None and node.timer is not None and node.stack in stacks:
            callbacks.add_task(number, facts.tasks[position], node.name)


class _Callbacks:
    """The callbacks of one capture, each looked at once."""

    def __init__(self, builder: Builder, facts: Facts) -> None:
        self._builder = builder
        self._facts = facts
        self._leads: Leads | None = None
        # By identity: the callback itself, to keep that valid, and the rows that wait for whoever has it.
        self._known: dict[tuple[int, int], tuple[object, list[int]]] = {}
        self._says: dict[int, bool] = {}  # by the `id` of the code
        self._edges: set[tuple[int, int]] = set()

    def add(self, task: int, callback: object) -> None:
        """Note that a task has a callback."""
        key = identity_of(callback)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = callback, self._rows_of(callback)
        for row in known[1]:
            if (row, task) not in self._edges:
                self._edges.add((row, task))
                self._builder.edge(row, task, "any_of")

    def add_task(self, number: int, task: object, name: str) -> None:
        """Note that a task may cancel those that its frames lead to."""
        tasks: set[int] = set()
        for items in items_of_task(task):
            cells = (item for item in items if type(item) is types.CellType)
            tasks |= self._leads_to_tasks([*items, *contents(cells)])
        for row in self._rows(tasks - {number}, task, "timed", name):
            self._builder.edge(row, number, "any_of")

    def _rows_of(self, callback: object) -> list[int]:
        """The row of a callback that may cancel tasks, and those of others which may cancel the same ones."""
        if not self._may_cancel(callback):
            return []
        code = code_of(callback)
        tasks = self._leads_to_tasks(operands_of(callback))
        return self._rows(tasks, callback, "callback", "" if code is None else code.co_qualname)

    def _rows(self, tasks: set[int], owner: object, made_by: str, name: str) -> list[int]:
        rows: set[int] = set()
        new: int | None = None
        for number in sorted(tasks):
            node = self._builder.nodes[number]
            if node is None or node.state != "waiting":
                continue
            parent = (node.detail or {}).get("parent")
            if parent is None:
                new = parent = self._row(owner, made_by, name) if new is None else new
                self._builder.change(number, detail={**(node.detail or {}), "parent": new})
            if type(parent) is int and self._is_callback(parent):
                rows.add(parent)
            else:  # a group, of which the task has the one that opened it
                self._builder.open(number, "another task may cancel it")
        return sorted(rows)

    def _may_cancel(self, callback: object) -> bool:
        """Whether it is one of the program and says `cancel`, or a function does that it calls by name."""
        if type(callback) is types.BuiltinMethodType:
            return callback.__name__ == "cancel" and is_task(callback.__self__)
        code = code_of(callback)
        if code is None or code.co_filename.startswith(_ASYNCIO) or group_of(callback) is not None:
            return False
        while type(callback) is functools.partial:
            callback = callback.func
        method = type(callback) is types.MethodType
        function: Any = callback.__func__ if type(callback) is types.MethodType else callback
        says = self._says.get(id(code))
        if says is None:  # it is the same for all functions with that code
            called = _functions_in(named_globals(code, function.__globals__))
            says = self._says[id(code)] = any(map(says_cancel, (code, *called)))
        if not says and method:
            owner = type(callback.__self__)  # type: ignore[attr-defined]
            called = _functions_in(class_attribute(owner, name) for name in code.co_names)
            says = any(map(says_cancel, called))
        return says or any(map(says_cancel, _functions_in(contents(function.__closure__ or ()))))

    def _is_callback(self, number: int) -> bool:
        node = self._builder.nodes[number]
        return node is not None and (node.detail or {}).get("made_by") in ("callback", "timed")

    def _row(self, owner: object, made_by: str, name: str) -> int:
        number = self._builder.reserve(owner, made_by)
        fields: dict[str, Any] = {"name": name, "type": made_by, "state": "pending", "need": 1}
        self._builder.put(number, "future", **fields, detail={"made_by": made_by})
        return number

    def _leads_to_tasks(self, items: list[object]) -> set[int]:
        if self._leads is None:
            pairs = zip(self._facts.tasks, self._facts.numbers, strict=True)
            self._leads = Leads({id(task): (number,) for task, number in pairs}, _BUDGET)
        return self._leads.of(items, _STEPS)


def _is_of_the_program_and_says_cancel(code: types.CodeType) -> bool:
    return not code.co_filename.startswith(_ASYNCIO) and says_cancel(code)


def says_cancel(code: types.CodeType) -> bool:
    """Whether a function, or one inside of it, names something that cancels."""
    return any(("cancel" in name and name != "cancelled") or name in _ALSO for name in code.co_names) or any(
        type(constant) is types.CodeType and says_cancel(constant) for constant in code.co_consts
    )


def _functions_in(values: Iterable[object]) -> Iterator[types.CodeType]:
    for value in values:
        function = value.__func__ if type(value) is types.MethodType else value
        if type(function) is types.FunctionType:
            yield function.__code__
