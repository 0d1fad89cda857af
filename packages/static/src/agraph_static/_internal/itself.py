"""Whether what is awaited holds the task that awaits. Used by AG207."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import dotted, walk

if TYPE_CHECKING:
    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Confidence
    from agraph_static._internal.scopes import Function

_WAITERS = frozenset({"gather", "wait", "wait_for", "shield"})
_COPIES = frozenset({"list", "set", "tuple", "sorted", "frozenset"})
_READERS = _COPIES | {"len", "print", "str", "repr", "any", "all", "bool", "enumerate", "iter", "isinstance"}
_LOGS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_KEEPS = frozenset({"add", "append", "extend", "update", "insert", "copy"})
_OWN = "`asyncio.current_task()`"
_ALL = "all of `asyncio.all_tasks()`"


def own_task(
    context: Context, node: cst.Await, function: Function, kept: dict[tuple[int, str], bool]
) -> tuple[str, Confidence] | None:
    """What holds the waiting task, `asyncio.all_tasks()` or `asyncio.current_task()`, and how sure it is.

    Args:
        context: The module.
        node: The wait.
        function: Where it stands.
        kept: Remembers for variables of functions whether they lose nothing.
    """
    looped = _loop_over(context, node, function)
    pending: list[cst.BaseExpression] = [node.expression if looped is None else looped]
    sure = True
    while pending:
        one = pending.pop()
        if isinstance(one, cst.Call):
            name = context.module.qualify(dotted(one.func))
            if name in ("asyncio.current_task", "asyncio.all_tasks"):
                if one.args:
                    continue  # those of another loop
                return _OWN if name == "asyncio.current_task" else _ALL, "certain" if sure else "possible"
            pending.extend(_members(name, one))
        elif isinstance(one, cst.Name):
            value = _value(one.value, function)
            if value is not None:
                key = (id(function), one.value)
                if key not in kept:
                    kept[key] = _is_task(context, value) or _is_kept(context, one.value, function)
                sure = sure and kept[key]
                pending.append(value)
        elif isinstance(one, (cst.List, cst.Tuple, cst.Set)):
            pending.extend(element.value for element in one.elements)
        elif isinstance(one, (cst.ListComp, cst.SetComp, cst.GeneratorExp)) and _takes_all(one):
            pending.append(one.for_in.iter)
    return None


def _members(name: str, call: cst.Call) -> list[cst.BaseExpression]:
    """What a call of asyncio waits for to the end, or what a copy holds."""
    package, _, last = name.rpartition(".")
    values = [arg.value for arg in call.args if arg.keyword is None]
    if not package and last in _COPIES:
        return values[:1]
    if package.partition(".")[0] != "asyncio" or last not in _WAITERS:
        return []
    if last == "wait" and any(_ends_sooner(arg) for arg in call.args):
        return []
    return values if last == "gather" else values[:1]


def _ends_sooner(arg: cst.Arg) -> bool:
    """Whether an argument of `asyncio.wait` lets it return before all are done."""
    if arg.keyword is None:
        return arg.star == "**"
    value = dotted(arg.value).rpartition(".")[2]
    return (arg.keyword.value == "timeout" and value != "None") or (
        arg.keyword.value == "return_when" and value != "ALL_COMPLETED"
    )


def _takes_all(node: cst.ListComp | cst.SetComp | cst.GeneratorExp) -> bool:
    """`[task for task in tasks]`, which leaves nothing out."""
    loop = node.for_in
    return (
        not loop.ifs
        and loop.inner_for_in is None
        and isinstance(node.elt, cst.Name)
        and dotted(loop.target) == node.elt.value
    )


def _value(name: str, function: Function) -> cst.BaseExpression | None:
    """The single value of a local variable."""
    bindings = function.bindings.get(name, ())
    return bindings[0].value if len(bindings) == 1 and bindings[0].kind == "assign" else None


def _is_task(context: Context, value: cst.BaseExpression) -> bool:
    """Whether a value is the task itself, of which nothing can be taken out."""
    return isinstance(value, cst.Call) and (
        context.module.qualify(dotted(value.func)) == "asyncio.current_task"
    )


def _is_kept(context: Context, name: str, function: Function) -> bool:
    """Whether all that a function does with a variable leaves in it what is in it."""
    uses = [one for one in walk(function.node) if isinstance(one, cst.Name) and one.value == name]
    return all(_is_harmless(context, one) for one in uses)


def _is_harmless(context: Context, use: cst.Name) -> bool:
    around = context.module.parents.get(id(use))
    if isinstance(around, cst.StarredElement):
        return True
    if isinstance(around, cst.Arg):
        call = context.module.parents.get(id(around))
        if not isinstance(call, cst.Call):
            return False
        package, _, last = context.module.qualify(dotted(call.func)).rpartition(".")
        if not package:
            return last in _READERS
        return (package.partition(".")[0] == "asyncio" and last in _WAITERS) or last in _LOGS
    if isinstance(around, cst.Attribute):
        return around.attr.value in _KEEPS or around.attr is use
    # An operator with an assignment, a `del`, another name for the same set: it can lose the task there.
    return isinstance(
        around,
        (
            cst.For, cst.CompFor, cst.If, cst.While, cst.IfExp, cst.Comparison, cst.ComparisonTarget,
            cst.UnaryOperation, cst.AssignTarget, cst.AnnAssign, cst.NamedExpr, cst.FormattedStringExpression,
            cst.Await,
        ),
    )  # fmt: skip


def _loop_over(context: Context, node: cst.Await, function: Function) -> cst.BaseExpression | None:
    """What `for task in tasks: await task` goes through, when nothing lets the loop leave a task out."""
    name = dotted(node.expression) if isinstance(node.expression, cst.Name) else ""
    bindings = function.bindings.get(name, ())
    loops = [one for one in function.fors if isinstance(one.target, cst.Name) and one.target.value == name]
    around = {id(one) for one in context.module.ancestors(node)}
    loop = next((one for one in loops if id(one) in around), None)
    if loop is None or not all(one.kind == "for" for one in bindings):
        return None
    chosen = (cst.If, cst.IfExp, cst.BooleanOperation, cst.Match, cst.While, cst.Try, cst.TryStar, cst.With)
    before = context.start(node)
    for one in walk(loop.body):
        if isinstance(one, chosen) and (context.start(one) < before) and not _lets_pass(one):
            return None
    return loop.iter


def _lets_pass(node: cst.CSTNode) -> bool:
    """Whether a `try` handles cancellation only, not the error of a task that waits for itself."""
    return isinstance(node, cst.Try) and all(
        dotted(one.type).rpartition(".")[2] == "CancelledError" for one in node.handlers
    )
