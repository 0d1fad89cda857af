"""Who could free what the snapshot cannot tell the holder of: an event, a condition, a queue, a plain future.

A candidate is a task that leads to the resource: by its locals, closures, attributes, or the globals it
names. So is whatever the loop itself is going to call. That is a guess: each edge is `probable`, and the
resource stays `open`. It tells an event that a live task may set from one that only stuck tasks know.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from agraph._internal.bridges import bridges_by_callback, bridges_by_declaration
from agraph._internal.futures import coroutine_of
from agraph._internal.identity import key_of
from agraph._internal.leads import Leads, items_of_task, named_globals
from agraph._internal.outside import Source, sources_of
from agraph._internal.waits import Part
from agraph._internal.walk import chain

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterable, Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.resources import Resources
    from agraph._internal.task_rows import LoopFacts, TaskFacts

# References to follow, at about 0.1 us each; and edges, as many tasks may know one another's resources.
_BUDGET = 500_000
# Tasks that stand at the same place lead to much the same, so of very many not all are asked.
_MANY_AT_ONE_PLACE = 2_000
_MANY_RESOURCES = 2_000
_MANY_EDGES = 100_000
_STEPS = 2
_NONE: frozenset[int] = frozenset()
_INFERRED = "who completes it is inferred"


def find_parties(
    builder: Builder,
    resources: Resources,
    facts: list[TaskFacts],
    loops: Iterable[object],
    loop_facts: Mapping[int, LoopFacts],
) -> list[str]:
    """Connect the open resources that nothing leads on from with those who could free them.

    Args:
        builder: The snapshot in the making, with the edges of all waits and holders.
        resources: Its resources.
        facts: Its tasks.
        loops: Its loops.
        loop_facts: What is known of them, by their `id`.

    Returns:
        What was left out, a sentence each.
    """
    objects = _open_resources(builder, resources)
    if not objects:
        return []
    parties = _Parties(builder, resources, facts, objects)
    steps: list[Callable[[], None]] = [
        *(partial(parties.ask_loop, loop, loop_facts[id(loop)]) for loop in loops),
        parties.ask_callbacks,
        parties.ask_tasks,
    ]
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a foreign loop or future may fail in any way
            builder.error(f"who could free events, queues and futures was not found: {error!r}")
    return parties.cut


def _open_resources(builder: Builder, resources: Resources) -> dict[int, object]:
    """The object behind each open node without a wait edge, by the id of the node."""
    found = dict(resources.plain)
    for number, part in resources.waited.items():
        node = builder.nodes[number]
        if node is not None and node.open:
            found[number] = part.owner
    for edge in builder.edges:
        if edge.waiter in found:
            del found[edge.waiter]
    return found


class _Parties:
    """One search.

    Attributes:
        cut: What was left out, a sentence each.
    """

    def __init__(
        self,
        builder: Builder,
        resources: Resources,
        facts: list[TaskFacts],
        objects: dict[int, object],
    ) -> None:
        self.cut: list[str] = []
        self._builder = builder
        self._resources = resources
        self._facts = facts
        self._objects = objects
        self._waiters = Waiters(builder)
        self._edges = 0
        self._globals: dict[tuple[int, int], set[int]] = {}

    def _new_leads(self) -> Leads:
        targets: dict[int, list[int]] = {}
        for number, thing in self._objects.items():
            targets.setdefault(id(thing), []).append(number)
        return Leads(targets, _BUDGET)

    def _add(self, numbers: Iterable[int], party: int) -> None:
        for number in numbers:
            plain = number in self._resources.plain
            self._builder.edge(number, party, "bridge" if plain else "any_of", "probable")
            if plain:
                self._builder.change(number, open=_INFERRED)
            self._edges += 1

    def _note_end_of(self, leads: Leads, asked: str) -> None:
        if leads.exhausted or self._edges > _MANY_EDGES:
            what = f"{_BUDGET:,} references" if leads.exhausted else f"{_MANY_EDGES:,} edges"
            self.cut.append(f"who could free events, queues and futures, among {asked}: more than {what}")

    # ---- the loops

    def ask_loop(self, loop: object, known: LoopFacts) -> None:
        """Connect resources with what a loop is going to call; nothing more is asked of those."""
        leads = self._new_leads()
        freed: set[int] = set()
        for source in sources_of(loop, {id(future) for future in self._resources.plain.values()}):
            numbers = leads.of(source.roots, _STEPS)
            if numbers:
                self._add(numbers, self._row(source, known))
                freed |= numbers
        self._forget(freed)
        self._note_end_of(leads, "what the loops will call")

    def _row(self, source: Source, known: LoopFacts) -> int:
        """The node of what a loop is going to call."""
        if source.kind == "io":
            number = self._resources.part(Part(source.owner, "io"))
            if source.name:
                self._builder.change(number, name=source.name)
            if source.fd is not None:
                self._builder.change(number, detail={"fd": source.fd})
            return number
        number = self._builder.reserve(source.owner, source.kind)
        self._builder.put(
            number,
            "work_item" if source.kind == "ready" else "timer",
            type=type(source.owner).__qualname__,
            state="pending",
            key=key_of(source.owner),
            loop=known.number,
            timer=None if source.when is None else round(source.when + known.offset, 6),
        )
        return number

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._objects.pop(number, None)

    # ---- done callbacks

    def ask_callbacks(self) -> None:
        """Connect resources with the tasks and futures whose end completes or sets them."""
        leads = self._new_leads()
        plain = self._resources.plain
        tasks = [(fact.number, fact.task) for fact in self._facts]
        bridges = bridges_by_callback(self._builder, [*tasks, *plain.items()], leads)
        if not self._objects.keys().isdisjoint(plain):
            waiters = {number: self._waiters.of(number) for number in plain.keys() & self._objects.keys()}
            bridges.update(bridges_by_declaration(self._facts, waiters))
        for number, producer in sorted(bridges):
            self._add((number,), producer)
        # Who completes a plain future is found then; an event can be set by others as well.
        self._forget({number for number, _producer in bridges} & plain.keys())
        self._note_end_of(leads, "callbacks")

    # ---- the tasks

    def ask_tasks(self) -> None:
        """Connect resources with the tasks that lead to them, other than those that wait for them."""
        if len(self._objects) > _MANY_RESOURCES:
            self.cut.append(
                f"who could free {len(self._objects):,} events, queues and futures: more than "
                f"{_MANY_RESOURCES:,}"
            )
            return
        if not self._objects:
            return
        leads = self._new_leads()
        asked: Counter[int | None] = Counter()
        only_waited = self._only_waited()
        for fact in self._facts:
            own = only_waited.get(fact.number, _NONE)
            if len(own) == len(self._objects):
                continue
            place = self._stack_of(fact)
            asked[place] += 1
            if asked[place] > _MANY_AT_ONE_PLACE:
                continue
            self._add(self._of_task(fact, leads) - own, fact.number)
            if leads.exhausted or self._edges > _MANY_EDGES:
                break
        unasked = sum(count - _MANY_AT_ONE_PLACE for count in asked.values() if count > _MANY_AT_ONE_PLACE)
        if unasked:
            self.cut.append(
                f"who could free events, queues and futures: {unasked:,} tasks that stand where "
                f"{_MANY_AT_ONE_PLACE:,} others stand were not asked"
            )
        self._note_end_of(leads, "tasks")

    def _only_waited(self) -> dict[int, frozenset[int]]:
        """For each task the open resources that it waits for itself, and so frees for nobody.

        A task with a deadline goes on one day, and may then free them for the others.
        """
        found: dict[int, frozenset[int]] = {}
        nodes = self._builder.nodes
        for number in self._objects:
            waiting = self._waiters.of(number)
            this = frozenset((number,))
            for task in waiting:
                node = nodes[task]
                if len(waiting) == 1 or node is None or node.timer is None:
                    known = found.get(task)
                    found[task] = this if known is None else known | this
        return found

    def _stack_of(self, fact: TaskFacts) -> int | None:
        node = self._builder.nodes[fact.number]
        return None if node is None else node.stack

    def _of_task(self, fact: TaskFacts, leads: Leads) -> set[int]:
        """The resources that the frames of a task lead to."""
        found: set[int] = set()
        for items in items_of_task(fact.task):
            found |= leads.of(items, _STEPS)
        for link in chain(coroutine_of(fact.task)):
            if link.frame is not None:
                found |= self._of_globals(link.frame, leads)
        return found

    def _of_globals(self, frame: types.FrameType, leads: Leads) -> set[int]:
        code, namespace = frame.f_code, frame.f_globals
        key = id(code), id(namespace)
        found = self._globals.get(key)
        if found is None:
            found = self._globals[key] = leads.of(named_globals(code, namespace), _STEPS)
        return found


_NO_TASKS: set[int] = set()


class Waiters:
    """Which tasks wait for a resource, directly or through futures such as that of a `gather`."""

    def __init__(self, builder: Builder) -> None:
        """Note who waits for what is no task.

        Args:
            builder: The snapshot in the making, with all its waits.
        """
        self._nodes = builder.nodes
        self._tasks: dict[int, set[int]] = {}
        self._futures: dict[int, list[int]] = {}
        for edge in builder.edges:
            awaited, waiter = builder.nodes[edge.awaited], builder.nodes[edge.waiter]
            if awaited is None or waiter is None or awaited.kind == "task":
                continue
            if waiter.kind == "task":
                self._tasks.setdefault(edge.awaited, set()).add(edge.waiter)
            else:
                self._futures.setdefault(edge.awaited, []).append(edge.waiter)

    def of(self, number: int) -> set[int]:
        """The tasks that wait for a node."""
        if number not in self._futures:
            return self._tasks.get(number, _NO_TASKS)
        groups = [self._tasks.get(node, set()) for node in self._up(number)]
        return groups[0].union(*groups[1:])

    def _up(self, number: int) -> list[int]:
        """A node and the futures that wait for it."""
        found = [number]
        seen = {number}
        for current in found:
            further = [node for node in self._futures.get(current, ()) if node not in seen]
            seen.update(further)
            found += further
        return found
