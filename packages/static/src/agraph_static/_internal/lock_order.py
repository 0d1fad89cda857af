"""Pairs of locks that are taken in opposite orders. Used by AG205."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.flow import Place
    from agraph_static._internal.locks import Holding


def opposite_pairs(context: Context) -> Iterator[tuple[Holding, Holding, cst.CSTNode, Holding]]:
    """Two locks taken in both orders: outer and inner lock, where, outer lock of the other site."""
    flow = context.flow
    orders: dict[tuple[Place, Place], tuple[Holding, Holding, cst.CSTNode]] = {}
    reported: set[frozenset[Place]] = set()
    for outer in context.locks.all():
        for inner, path in context.locks.inside(outer):
            pair = (flow.root(outer.place), flow.root(inner.place))
            if pair[0] == pair[1] or outer.is_item or inner.is_item:
                continue
            node = path[0].node if path else inner.item
            orders.setdefault(pair, (outer, inner, node))
            other = orders.get((pair[1], pair[0]))
            if other is not None and frozenset(pair) not in reported:
                reported.add(frozenset(pair))
                yield outer, inner, node, other[0]


def unordered_pairs(context: Context) -> Iterator[tuple[Holding, Holding]]:
    """Two locks of one collection, one taken while the other is held, without sorting the keys before."""
    for outer in context.locks.all():
        for inner, path in context.locks.inside(outer):
            same = context.locks.same(outer, inner) and outer.is_item and not path
            if not same or context.code(outer.item) == context.code(inner.item):
                continue
            names = {call.name for call in outer.function.calls}
            compares = any(
                isinstance(one, (cst.If, cst.IfExp))
                for node in (outer.node,)
                for one in context.module.ancestors(node)
            )
            if not names & {"sorted", "sort", "min", "max"} and not compares and dotted(outer.item):
                yield outer, inner
