"""Small questions about expressions: what a call passes through, what a display holds."""

from __future__ import annotations

import re

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.tree import dotted

_TRANSPARENT = frozenset(
    {"list", "set", "tuple", "sorted", "reversed", "frozenset", "cast", "typing.cast", "iter"}
)
_TUPLE_MAKERS = frozenset({"namedtuple", "NamedTuple"})
_VALUE_LAST = frozenset({"cast", "typing.cast"})
_WAIT_FOR_ITEMS = frozenset({"wait", "as_completed"})
_PRIVATE = re.compile(r"\._(?!_)")
_NO_WORD = re.compile(r"\W")


def is_queue_get(node: cst.CSTNode) -> bool:
    """`queue.get()`: what is awaited is the queue, not the item. A dict's `get` has an argument."""
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value == "get"
        and not node.args
    )


def taken_item(node: cst.Await) -> cst.BaseExpression:
    """`await queue.get()` is an item of the queue."""
    return node.expression if is_queue_get(node.expression) else node


def first_attribute(suffix: str) -> str:
    """`future` of `.future.state[]`."""
    name = suffix[1:]
    for index, character in enumerate(name):
        if character in ".[":
            return name[:index]
    return name


def private_steps(path: str) -> list[int]:
    """Where `._name` stands in a path, behind its first step: a name that its own module says."""
    return [found.start() for found in _PRIVATE.finditer(path, 1)]


def weaker(kind: str) -> str:
    """The kind of a wait on what stands in a container that is awaited."""
    return "pass" if kind == "await" else kind


def through_call(call: cst.Call) -> tuple[cst.BaseExpression, str] | None:
    """`list(x)` is x for our purpose, `x.pop()` an item of x."""
    func = call.func
    if isinstance(func, cst.Attribute):
        name = func.attr.value
        if name in words.CONTAINER_TAKES:
            return func.value, _key(call.args[0].value) if call.args else "[]"
        if name in words.CONTAINER_VIEWS:
            return func.value, ""
        return (call.args[-1].value, "") if name == "cast" and call.args else None
    if isinstance(func, cst.Name) and func.value in _TRANSPARENT and call.args:
        return call.args[-1 if func.value in _VALUE_LAST else 0].value, ""
    return None


def subscript(node: cst.Subscript) -> str:
    """The step of a path that a subscript is: `[name]` for a constant key, else `[]`, some item."""
    index = node.slice[0].slice if len(node.slice) == 1 else None
    return _key(index.value) if isinstance(index, cst.Index) else "[]"


def _key(key: cst.BaseExpression) -> str:
    """A string, or a name in capitals, tells the items of a table apart; any other key does not."""
    if isinstance(key, cst.SimpleString):
        return f"[{_NO_WORD.sub('_', str(key.raw_value))}]"
    name = dotted(key).rpartition(".")[2]
    return f"[{name}]" if name.isupper() and name.isidentifier() else "[]"


def is_item(path: str) -> bool:
    """Whether a path ends in a subscript."""
    return path.endswith("]")


def container_of(path: str) -> str:
    """The path without the subscript at its end; the path itself when it has none."""
    return path[: path.rindex("[")] if is_item(path) else path


def _item_of(container: cst.BaseExpression) -> cst.BaseExpression:
    """An expression for any item of a container."""
    return cst.Call(cst.Attribute(container, cst.Name("pop")))


def starred_in(display: cst.List | cst.Set | cst.Tuple) -> list[cst.BaseExpression]:
    """The items of the containers that a display unpacks: `(*tasks, waiter)`."""
    return [_item_of(one.value) for one in display.elements if isinstance(one, cst.StarredElement)]


def items_waited_for(call: cst.Call) -> list[cst.BaseExpression]:
    """The items of the containers that a call waits for."""
    return [_item_of(one) for one in containers_waited_for(call)]


def containers_waited_for(call: cst.Call) -> list[cst.BaseExpression]:
    """The containers whose items a call waits for: `wait(tasks | {waiter})`, `gather(*tasks)`."""
    unpacked = [arg.value for arg in call.args if arg.star == "*"]
    if not unpacked and call.args and dotted(call.func).rpartition(".")[2] in _WAIT_FOR_ITEMS:
        unpacked = [call.args[0].value]
    found: list[cst.BaseExpression] = []
    while unpacked:
        one = unpacked.pop()
        if isinstance(one, cst.BinaryOperation):
            unpacked.extend((one.left, one.right))
        elif isinstance(one, (cst.Name, cst.Attribute, cst.Subscript, cst.Call)):
            found.append(one)
    return found


_HOLDERS = frozenset(
    {
        cst.List, cst.Set, cst.Tuple, cst.ListComp, cst.SetComp, cst.GeneratorExp, cst.DictComp, cst.Dict,
        cst.Call,
    }
)  # fmt: skip


def elements_of(value: cst.BaseExpression) -> list[cst.BaseExpression]:  # noqa: PLR0911 - one question after the other reads best
    """The expressions of the items of a display or comprehension."""
    if type(value) not in _HOLDERS:  # most are none of these, and isinstance is slow
        return []
    if isinstance(value, (cst.List, cst.Set, cst.Tuple)):
        return [
            _item_of(element.value) if isinstance(element, cst.StarredElement) else element.value
            for element in value.elements
        ]
    if isinstance(value, (cst.ListComp, cst.SetComp, cst.GeneratorExp)):
        return [value.elt]
    if isinstance(value, cst.DictComp):
        return [value.value]
    if isinstance(value, cst.Dict):
        return [element.value for element in value.elements]
    if isinstance(value, cst.Call) and dotted(value.func) == "map" and len(value.args) > 1:
        return [cst.Call(value.args[0].value, value.args[1:])]
    if isinstance(value, cst.Call) and dotted(value.func).endswith("defaultdict") and value.args:
        return [cst.Call(value.args[0].value)]
    if isinstance(value, cst.Call) and dotted(value.func) in _TRANSPARENT and value.args:
        return elements_of(value.args[0].value)
    return []


def annotation_of(parameter: cst.Param) -> str:
    """The class that a parameter's annotation names: `Pool` of `Pool`, `"Pool[int]"` and `Pool | None`."""
    if parameter.annotation is None:
        return ""
    annotation = parameter.annotation.annotation
    if isinstance(annotation, cst.BinaryOperation):
        annotation = annotation.left
    if isinstance(annotation, cst.Subscript) and dotted(annotation.value).rpartition(".")[2] == "Optional":
        index = annotation.slice[0].slice
        annotation = index.value if isinstance(index, cst.Index) else annotation
    if isinstance(annotation, cst.SimpleString):
        return annotation.raw_value.partition("|")[0].partition("[")[0].strip()
    return dotted(annotation.value if isinstance(annotation, cst.Subscript) else annotation)


def tuple_fields(value: cst.BaseExpression) -> list[str]:
    """The fields of `namedtuple("Item", "key future")` or `NamedTuple("Item", [("key", str)])`; else none."""
    made = isinstance(value, cst.Call) and dotted(value.func).rpartition(".")[2] in _TUPLE_MAKERS
    if not isinstance(value, cst.Call) or not made or len(value.args) < 2:
        return []
    given = value.args[1].value
    if isinstance(given, cst.SimpleString):
        return str(given.raw_value).replace(",", " ").split()
    names = [one.elements[0].value if isinstance(one, cst.Tuple) else one for one in elements_of(given)]
    return [str(one.raw_value) for one in names if isinstance(one, cst.SimpleString)]
