"""Locks that are taken in different orders. Used by AG205."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.locks import Holding
    from agraph_static._internal.scopes import Call, Function

_Orders = dict["tuple[Place, Place]", "list[Site]"]


@dataclass(slots=True, eq=False)
class Site:
    """A place where one lock is taken while another is held.

    Attributes:
        outer: The lock that is held.
        inner: The lock that is taken.
        node: Where the function that holds the one comes to take the other.
        gates: The other locks that are held all the while.
    """

    outer: Holding
    inner: Holding
    node: cst.CSTNode
    gates: set[Place]


def rings(context: Context) -> Iterator[list[Site]]:
    """Two or three sites at which each takes the lock that the next one holds, the last one written first.

    Sites under one common lock are no ring: only one task at a time gets there.
    """
    flow = context.flow
    orders: _Orders = {}
    reported: list[frozenset[Place]] = []
    callers = _callers(context)
    for outer in context.locks.all():
        gates = _gates(context, outer, callers)
        for inner, path in context.locks.inside(outer):
            pair = (flow.root(outer.place), flow.root(inner.place))
            if pair[0] == pair[1] or outer.is_item or inner.is_item:
                continue
            node = path[0].node if path else inner.item
            site = Site(outer, inner, node, gates - {*pair})
            known = orders.setdefault(pair, [])
            if any(one.gates <= site.gates for one in known):
                continue
            known.append(site)
            for ways in _ways_back(orders, *pair):
                places = frozenset(place for way in ways for place in way)
                ring = _ring([site], [orders[way] for way in ways])
                if ring is not None and not any(one <= places for one in reported):
                    reported.append(places)
                    yield ring


def _ways_back(orders: _Orders, held: Place, taken: Place) -> list[tuple[tuple[Place, Place], ...]]:
    """From the lock that is taken to the one that is held: directly, or by a third."""
    direct = [((taken, held),)] if (taken, held) in orders else []
    thirds = [third for first, third in orders if first == taken and (third, held) in orders]
    return [*direct, *(((taken, third), (third, held)) for third in thirds)]


def _ring(begun: list[Site], rest: list[list[Site]]) -> list[Site] | None:
    """One site of each list, such that no two of all have a gate in common."""
    if not rest:
        return begun
    for site in rest[0]:
        if all(site.gates.isdisjoint(one.gates) for one in begun):
            found = _ring([*begun, site], rest[1:])
            if found is not None:
                return found
    return None


def _gates(context: Context, outer: Holding, callers: dict[int, list[Call]]) -> set[Place]:
    """The locks that are held whenever another is taken, in its function or in all that call it."""
    gates = _held_at(context, outer.item, outer.function)
    calls = callers.get(id(outer.function), ()) if outer.function.name.startswith("_") else ()
    held = [_held_at(context, call.node, call.function) for call in calls]
    return gates | set.intersection(*held) if held else gates


def _held_at(context: Context, node: cst.CSTNode, function: Function) -> set[Place]:
    holdings = context.locks.holdings.get(id(function), ())
    return {context.flow.root(one.place) for one in holdings if id(node) in one.nodes}


def _callers(context: Context) -> dict[int, list[Call]]:
    """The calls of each function that takes a lock, by the function's id."""
    found: dict[int, list[Call]] = {}
    for call in context.module.calls:
        callee = context.flow.callee(call)
        if callee is not None and id(callee) in context.locks.holdings:
            found.setdefault(id(callee), []).append(call)
    return found


def unordered_pairs(context: Context) -> Iterator[tuple[Holding, Holding]]:
    """Two locks of one kind, one taken while the other is held, without an order between them.

    They are of one collection, and the keys are not sorted before, or of two objects that a function is
    given.
    """
    for outer in context.locks.all():
        for inner, path in context.locks.inside(outer):
            if path or not context.locks.same(outer, inner):
                continue
            if context.code(outer.item) == context.code(inner.item):
                continue
            if not (outer.is_item or _of_two_given(outer, inner)):
                continue
            names = {call.name for call in outer.function.calls}
            compares = any(
                isinstance(one, (cst.If, cst.IfExp)) for one in context.module.ancestors(outer.around)
            )
            if not names & {"sorted", "sort", "min", "max"} and not compares and dotted(outer.item):
                yield outer, inner


def _of_two_given(outer: Holding, inner: Holding) -> bool:
    """`self.lock` and `other.lock`, where both objects are what the function was given."""
    bindings = outer.function.bindings
    owners = [
        one.item.value.value
        for one in (outer, inner)
        if isinstance(one.item, cst.Attribute) and isinstance(one.item.value, cst.Name)
    ]
    return (
        len(set(owners)) == 2
        and outer.place[0] == "s"
        and all([way.kind for way in bindings.get(one, ())] == ["param"] for one in owners)
    )
