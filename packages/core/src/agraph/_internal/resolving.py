"""The objects that expressions of a function's source stand for, as far as reading them runs no code."""

from __future__ import annotations

import ast
import gc
from collections import deque
from typing import TYPE_CHECKING, Any

from agraph._internal.instances import NOTHING, attribute, item, mangled
from agraph._internal.kinds import is_one_of
from agraph._internal.source import root_of

if TYPE_CHECKING:
    import types
    from collections.abc import Mapping, Sequence

    from agraph._internal.source import Acquired

_CONTAINERS = (list, tuple, set, frozenset, deque)
_ITERATORS: tuple[type, ...] = (type(iter([])), type(iter(())))
_MOST = 1_000


def things_of(
    one: Acquired,
    variables: Mapping[str, Any],
    namespace: Mapping[str, Any],
    code: types.CodeType,
    owner: object,
) -> list[object]:
    """What was acquired.

    Args:
        one: What the source says.
        variables: Those of the frame.
        namespace: The globals of the function.
        code: The code of the function.
        owner: The coroutine of the frame; None for a function that has returned.

    Returns:
        The objects, NOTHING for one that is not known.
    """
    if one.members is None:
        return [resolve(one.expression, variables, namespace, code)]
    name = root_of(one.expression)
    known = _members(one.members, variables, namespace, code)
    if one.inside:
        known = _before(owner, variables.get(name, NOTHING), known, one.members)
    elif owner is not None and not _ended_with(variables.get(name, NOTHING), known, one.members):
        return []
    return [resolve(one.expression, {**variables, name: member}, namespace, code) for member in known]


def _members(
    expression: ast.expr, variables: Mapping[str, Any], namespace: Mapping[str, Any], code: types.CodeType
) -> list[object]:
    """What a loop goes over: a container, the values of a dictionary, or what `sorted` makes of one."""
    if isinstance(expression, ast.Call):
        if (
            not expression.args
            and isinstance(expression.func, ast.Attribute)
            and expression.func.attr == "values"
        ):
            values = resolve(expression.func.value, variables, namespace, code)
            return list(dict.values(values))[:_MOST] if type(values) is dict else []
        if not expression.args:
            return []
        expression = expression.args[0]
    found: Any = resolve(expression, variables, namespace, code)
    if type(found) is dict:
        return list(found)[:_MOST]
    return list(found)[:_MOST] if is_one_of(type(found), _CONTAINERS) else []


def _ended_with(present: object, known: Sequence[object], expression: ast.expr) -> bool:
    """Whether a loop that has ended went over what its expression means now: it ended with that."""
    if isinstance(expression, ast.Call) and expression.args:  # `sorted` and the like: in whatever order
        return any(member is present for member in known)
    return bool(known) and known[-1] is present


def _before(owner: object, present: object, known: Sequence[object], expression: ast.expr) -> list[object]:
    """The members of a loop before the present one: by its iterator, on the value stack of the frame."""
    kept = gc.get_referents(owner)
    for iterator in kept:
        if is_one_of(type(iterator), _ITERATORS):
            state = iterator.__reduce__()
            if len(state) == 3 and state[2] and state[1][0][state[2] - 1] is present:
                return list(state[1][0][: state[2] - 1])[:_MOST]
    # Since 3.15 the stack has a list and a bare index in place of an iterator (GET_ITER in bytecodes.c).
    lists: list[Sequence[object]] = [known]
    if isinstance(expression, ast.Call):
        ids = [*map(id, known)]
        lists = [one for one in kept if is_one_of(type(one), (list, tuple)) and len(one) == len(ids)]
        lists = [one for one in lists if [*map(id, one)] != ids] or [known]
    for one in lists:
        place = next((place for place, member in enumerate(one[:_MOST]) if member is present), None)
        if place is not None:
            return list(one[:place])
    return []


def resolve(
    expression: ast.expr, variables: Mapping[str, Any], namespace: Mapping[str, Any], code: types.CodeType
) -> object:
    """The object that `a.b[c]` is, if reading it runs no code; else NOTHING."""
    steps: list[ast.Attribute | ast.Subscript] = []
    while isinstance(expression, (ast.Attribute, ast.Subscript)):
        steps.append(expression)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return NOTHING
    thing = _variable(expression.id, variables, namespace, code)
    for step in reversed(steps):
        if thing is NOTHING:
            break
        if isinstance(step, ast.Attribute):
            thing = attribute(thing, _mangled(step.attr, code))
        elif isinstance(step.slice, ast.Constant):
            thing = item(thing, step.slice.value)
        elif isinstance(step.slice, ast.Name):
            thing = item(thing, _variable(step.slice.id, variables, namespace, code))
        else:
            thing = NOTHING
    return thing


def _variable(
    name: str, variables: Mapping[str, Any], namespace: Mapping[str, Any], code: types.CodeType
) -> object:
    if name in variables:
        return variables[name]
    # A variable of the function that has no value now, or not yet.
    if name in code.co_varnames or name in code.co_cellvars or name in code.co_freevars:
        return NOTHING
    return namespace.get(name, NOTHING)


def _mangled(name: str, code: types.CodeType) -> str:
    """An attribute as it is stored, when the function is a method."""
    scopes = code.co_qualname.split(".")
    return mangled(name, scopes[-2]) if len(scopes) > 1 else name
