"""Small questions about the standard parser's nodes, for the triage: what is below one, what it names."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAVES = frozenset({ast.Constant, ast.Name})
_FIELDS: dict[type, tuple[str, ...]] = dict.fromkeys(_LEAVES, ())
_NO_NODES = frozenset(
    {
        "ctx", "op", "ops", "attr", "arg", "name", "names", "module", "type_comment", "kind", "conversion",
        "level", "simple", "is_async", "is_lazy", "asname", "kwd_attrs", "rest", "tag", "str", "type_ignores",
    }
)  # fmt: skip
"""Fields that hold text, numbers, operators or imported names; all others hold nodes."""

NO_NAMES = frozenset({"self", "cls", "loop", "hass", "asyncio", "None"})
"""Names that say nothing about what is meant."""


def below(node: ast.AST) -> list[Any]:
    """The nodes right below one, without operators: faster than `ast.iter_child_nodes`."""
    names = _FIELDS.get(type(node))
    if names is None:
        names = _FIELDS[type(node)] = tuple(one for one in node._fields if one not in _NO_NODES)
    found: list[Any] = []
    for name in names:
        value = getattr(node, name, None)
        if type(value) is list:
            found += [one for one in value if one is not None] if None in value else value
        elif value is not None:
            found.append(value)
    return found


def walk(node: ast.AST) -> list[Any]:
    """A node and all nodes below it, in no order that matters."""
    found = [node]
    for one in found:
        if type(one) not in _LEAVES:
            found += below(one)
    return found


def code_of(function: ast.AST) -> Iterator[tuple[Any, bool]]:
    """The nodes in a function, and whether it runs them itself: not so what stands in a function in it."""
    stack = [(one, True) for one in below(function)]
    while stack:
        one, own = stack.pop()
        yield one, own
        if type(one) not in _LEAVES:
            own = own and not isinstance(one, _FUNCTIONS)
            stack.extend([(inner, own) for inner in below(one)])


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def defaults(function: ast.AST) -> list[ast.expr]:
    """What the parameters of a function are if they are not given; nothing for other nodes."""
    if not isinstance(function, _FUNCTIONS):
        return []
    return [one for one in (*function.args.defaults, *function.args.kw_defaults) if one is not None]


def last_name(node: ast.AST) -> str:
    """`wait` of `asyncio.wait`; empty when the node is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def mentioned(node: ast.AST) -> set[str]:
    """The names and attributes an expression holds."""
    if isinstance(node, ast.Name):
        return {node.id}
    return {name for one in walk(node) if (name := last_name(one))}


def own_names(node: ast.AST) -> set[str]:
    """The names an expression holds that can be functions of the file."""
    return {name for one in walk(node) if (name := own_name(one))}


def own_name(node: ast.AST) -> str:
    """The name of a function of the file, as the rules look it up; empty when the node is none.

    That is a plain name, an attribute of `self`, `cls`, `super()` or a class, or an attribute of something
    else when it is of more than one word, or private.
    """
    if isinstance(node, ast.Attribute) and not (_is_distinct(node.attr) or _is_owner(node.value)):
        return ""
    return last_name(node)


def _is_distinct(name: str) -> bool:
    return name.startswith("_") or "_" in name.strip("_")


def _is_owner(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in ("self", "cls") or node.id[:1].isupper()
    return isinstance(node, ast.Call) and last_name(node.func) == "super"


def hands_parameter_to(function: ast.AST, names: set[str]) -> bool:
    """Whether a function hands one of its parameters to a function of one of these names."""
    arguments = getattr(function, "args", None)
    given = {one.arg for one in walk(arguments) if isinstance(one, ast.arg)} if arguments else set()
    return any(
        isinstance(one, ast.Call)
        and last_name(one.func) in names
        and any(isinstance(argument, ast.Name) and argument.id in given for argument in one.args)
        for one in walk(function)
    )


def is_taken_up(node: ast.AST) -> bool:
    """`event.clear()`, or `flag = True`."""
    if isinstance(node, ast.Call):
        return last_name(node.func) == "clear" and not node.args
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is True


def unsubscripted(node: ast.expr) -> ast.expr:
    """`make` of `make[int]`."""
    return node.value if isinstance(node, ast.Subscript) else node
