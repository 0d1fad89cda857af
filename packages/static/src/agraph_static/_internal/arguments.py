"""Which argument of a call stands for which parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from agraph_static._internal.scopes import Call, Function


def bound_arguments(call: Call, callee: Function, *, skip: int = 0) -> list[tuple[str, cst.BaseExpression]]:
    """Pairs of parameter and argument of a call.

    `skip` leaves out leading parameters that are bound already.
    """
    params = callee.params
    offset = skip + (1 if callee.is_method and not _calls_plain_class(call, callee) else 0)
    pairs = [
        (params[index + offset], value)
        for index, value in enumerate(call.args)
        if index + offset < len(params) and not isinstance(value, cst.StarredElement)
    ]
    pairs.extend((name, value) for name, value in call.keywords.items() if name in callee.bindings)
    return pairs


def _calls_plain_class(call: Call, callee: Function) -> bool:
    """`Class.method(instance)`: the instance is written out."""
    return (
        isinstance(call.receiver, cst.Name)
        and callee.owner is not None
        and call.receiver.value == callee.owner.name
    )
