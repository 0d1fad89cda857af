"""Who could free what the snapshot cannot tell the holder of: an event, a condition, a queue, a plain future.

A candidate is a task that leads to the resource: by its locals, closures, attributes, or the globals it
names. So is whatever the loop itself is going to call. That is a guess: each edge is `probable`, and the
resource stays `open`. It tells an event that a live task may set from one that only stuck tasks know.
"""

from __future__ import annotations

import gc
import types
from functools import partial
from typing import TYPE_CHECKING, Any

from agraph._internal.bridges import bridges_by_callback, bridges_by_declaration
from agraph._internal.futures import coroutine_of
from agraph._internal.identity import key_of
from agraph._internal.kinds import qualname_of
from agraph._internal.leads import Leads, items_of, named_globals
from agraph._internal.model import Site
from agraph._internal.outside import Source, sources_of
from agraph._internal.waits import Part
from agraph._internal.walk import C_FUTURE_ITERATOR, chain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from agraph._internal.builder import Builder
    from agraph._internal.model import Node
    from agraph._internal.resources import Resources
    from agraph._internal.task_rows import Facts, LoopFacts, TaskFacts

# References to follow, at about 0.1 us each; and edges, as many tasks may know one another's resources.
_BUDGET = 500_000
# Tasks that stand at the same place lead to much the same, so of very many not all are asked.
_MANY_AT_ONE_PLACE = 2_000
_MANY_RESOURCES = 2_000
# Up to this many tasks at one place are asked one by one: that costs less than to ask all of them first.
_FEW = 8
_MANY_FRAMES = 50_000
_MANY_EDGES = 100_000
_STEPS = 2
_NONE: frozenset[int] = frozenset()
_INFERRED = "who completes it is inferred"


def find_parties(
    builder: Builder,
    resources: Resources,
    facts: Facts,
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
    return {number: thing for number, thing in found.items() if number not in builder.leading}


class _Parties:
    """One search.

    Attributes:
        cut: What was left out, a sentence each.
    """

    def __init__(
        self,
        builder: Builder,
        resources: Resources,
        facts: Facts,
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

    def _add(self, numbers: Iterable[int], party: int, code: types.CodeType | None = None) -> None:
        site = None
        if code is not None:
            site = self._builder.sites.site(Site(code.co_filename, code.co_qualname, code.co_firstlineno))
        for number in numbers:
            plain = number in self._resources.plain
            self._builder.edge(number, party, "bridge" if plain else "any_of", "probable", site)
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
            type=qualname_of(type(source.owner)),
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
        tasks = [(self._facts.numbers[one], self._facts.tasks[one]) for one, _callbacks in self._facts.called]
        bridges = bridges_by_callback(self._builder, [*tasks, *plain.items()], leads)
        if not self._objects.keys().isdisjoint(plain):
            waiters = {number: self._waiters.of(number) for number in plain.keys() & self._objects.keys()}
            for bridge in bridges_by_declaration(self._facts, waiters):
                bridges.setdefault(bridge, None)
        for number, producer in sorted(bridges):
            self._add((number,), producer, bridges[number, producer])
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
        only_waited: dict[int, frozenset[int]] = {}
        bound: set[int] = set()
        if len(self._objects) == 1:
            # Nobody who waits for the one there is frees it: nearly all, where very many wait for one event.
            bound = self._stay_waiting(next(iter(self._objects)))
        else:
            only_waited = self._only_waited()
        for positions in self._by_place(bound):
            if self._lead_nowhere(positions, leads):
                continue
            for position in positions:
                fact = self._facts[position]
                self._add(self._of_task(fact, leads) - only_waited.get(fact.number, _NONE), fact.number)
                if leads.exhausted or self._edges > _MANY_EDGES:
                    break
        self._note_end_of(leads, "tasks")

    def _by_place(self, bound: Collection[int]) -> Iterable[list[int]]:
        """The positions of the tasks, without some, in groups that stand at the same place."""
        groups: dict[int | None, list[int]] = {}
        nodes = self._builder.nodes
        unasked = 0
        for position, number in enumerate(self._facts.numbers):
            if number not in bound:
                node = nodes[number]
                group = groups.setdefault(None if node is None else node.stack, [])
                if len(group) < _MANY_AT_ONE_PLACE:
                    group.append(position)
                else:
                    unasked += 1
        if unasked:
            self.cut.append(
                f"who could free events, queues and futures: {unasked:,} tasks that stand where "
                f"{_MANY_AT_ONE_PLACE:,} others stand were not asked"
            )
        return groups.values()

    def _lead_nowhere(self, positions: list[int], leads: Leads) -> bool:
        """Whether tasks that stand at one place lead to none of the resources: asked of all in one step."""
        if len(positions) < _FEW:
            return False
        owners: list[object] = []
        for position in positions:
            owner: Any = coroutine_of(self._facts.tasks[position])
            while type(owner) is types.CoroutineType and len(owners) < _MANY_FRAMES:
                owners.append(owner)
                owner = owner.cr_await
            if owner is not None and type(owner) is not C_FUTURE_ITERATOR:
                return False
        items = _once(gc.get_referents(*owners))  # they share nearly all
        own = set(map(id, owners))
        frames = (link.frame for link in chain(coroutine_of(self._facts.tasks[positions[0]])))
        return (
            not any(id(item) not in own for item in items if type(item) is types.CoroutineType)
            and not any(self._of_globals(frame, leads) for frame in frames if frame is not None)
            and not leads.of(items, _STEPS)
        )

    def _only_waited(self) -> dict[int, frozenset[int]]:
        """For each task the open resources that it waits for itself, and so frees for nobody."""
        found: dict[int, frozenset[int]] = {}
        for number in self._objects:
            this = frozenset((number,))
            for task in self._stay_waiting(number):
                known = found.get(task)
                found[task] = this if known is None else known | this
        return found

    def _stay_waiting(self, number: int) -> set[int]:
        """The tasks that wait for a resource until it is free.

        One with a deadline goes on one day, and may then free it for the others.
        """
        waiting = self._waiters.of(number)
        nodes = self._builder.nodes
        return waiting if len(waiting) == 1 else {task for task in waiting if not _has_timer(nodes[task])}

    def _of_task(self, fact: TaskFacts, leads: Leads) -> set[int]:
        """The resources that the frames of a task lead to."""
        found: set[int] = set()
        links = chain(coroutine_of(fact.task))
        for items in items_of(links):
            found |= leads.of(items, _STEPS)
        for link in links:
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


def _once(items: list[object]) -> list[object]:
    """Each object once."""
    return list(dict(zip(map(id, items), items, strict=True)).values())


def _has_timer(node: Node | None) -> bool:
    return node is not None and node.timer is not None


class Waiters:
    """Which tasks wait for a resource, directly or through futures such as that of a `gather`."""

    def __init__(self, builder: Builder) -> None:
        """Prepare.

        Args:
            builder: The snapshot in the making, with all its waits.
        """
        self._nodes = builder.nodes
        self._waiters = builder.waiters
        self._found: dict[int, set[int]] = {}

    def of(self, number: int) -> set[int]:
        """The tasks that wait for a node."""
        found = self._found.get(number)
        if found is None:
            found = self._found[number] = self._search(number)
        return found

    def _search(self, number: int) -> set[int]:
        """The tasks that are met first on all ways up."""
        found: set[int] = set()
        seen = {number}
        ahead = [number]
        for current in ahead:
            for waiter in self._waiters.get(current, ()):
                node = self._nodes[waiter]
                if node is not None and node[1] == "task":  # its `kind`; there may be very many
                    found.add(waiter)
                elif waiter not in seen:
                    seen.add(waiter)
                    ahead.append(waiter)
        return found
