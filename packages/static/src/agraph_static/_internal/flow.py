"""Which expressions name the same object, where objects come from, and who waits for them.

A place is a name that can hold a future: a variable of one function, an attribute of one class, an item of a
container. Places that are assigned to each other are one group (union-find; the order of statements is
ignored, which over-approximates). A group knows the values it was given and the waits on it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.arguments import bound_arguments
from agraph_static._internal.expressions import (
    annotation_of,
    container_of,
    elements_of,
    first_attribute,
    is_item,
    is_queue_get,
    items_waited_for,
    private_steps,
    starred_in,
    subscript,
    taken_item,
    through_call,
    weaker,
)
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.scopes import Assignment, Binding, Call, Class, Function
    from agraph_static._internal.semantics import Module

Place = tuple[str, object, str]
"""Kind ("v": variable, "s": attribute of a class, "o": attribute of something unknown), owner, path."""

_Entry = TypeVar("_Entry")
_STEPS = frozenset({cst.Attribute, cst.Subscript, cst.Call})

_NESTING = 3
"""How deep containers in containers are followed."""


@dataclass(slots=True, eq=False)
class Wait:
    """A place where something waits for an object.

    Attributes:
        kind: `await`; `pass`: given to an awaited call, as in `await wait_for(x)`; `return`: handed to the
            caller, who will wait; `method`: a method of it is awaited, as in `await event.wait()`.
        node: The await or return.
        function: Where it stands.
        method: The method's name for kind `method`.
    """

    kind: str
    node: cst.CSTNode
    function: Function
    method: str = ""


@dataclass(slots=True, eq=False)
class Value:
    """An expression that a group was given."""

    node: cst.BaseExpression
    function: Function


class Flow:
    """The places of one module. Built once, then asked."""

    def __init__(self, module: Module) -> None:
        """Group the places of a module and collect values and waits.

        Args:
            module: The indexed module.
        """
        self.module = module
        self._parent: dict[Place, Place] = {}
        self._values: dict[Place, list[Value]] = defaultdict(list)
        self._waits: dict[Place, list[Wait]] = defaultdict(list)
        self._passed: dict[Place, list[tuple[Function, str]]] = defaultdict(list)
        self._members: dict[Place, list[Place]] = defaultdict(list)
        self._callees: dict[int, Function | None] = {}
        self._classes: dict[tuple[int, str], Class | None] = {}
        self.stored: set[Place] = set()
        self._has_keys = False
        self.arguments: dict[tuple[int, str], list[Value]] = defaultdict(list)
        for function in module.functions:
            for assignment in function.assignments:
                self._assign(assignment)
        for call in module.calls:
            self._call(call)
        self.annotations: dict[Place, list[cst.BaseExpression]] = defaultdict(list)
        for node, function, owner in module.annotated:
            place = self._annotated_place(node, function, owner)
            if place is not None:
                self.annotations[place].append(node.annotation.annotation)
        for function in module.functions:
            self._collect_waits(function)
        self._close()

    def _collect_waits(self, function: Function) -> None:
        for node in function.awaits:
            self._wait("await", node.expression, node, function)
        for value in function.returns:
            self._wait("return", value, value, function)
        for with_ in function.withs:
            if with_.asynchronous is not None:
                for item in with_.items:
                    self._wait_method(item.item, "acquire", item, function)

    # Places

    def place(self, node: Any, function: Function) -> Place | None:  # noqa: ANN401 - its type is looked up
        """The place an expression names, or None."""
        suffix: list[str] = []
        while node is not None:
            kind = type(node)
            if kind is cst.Name:
                return self._named(node.value, "".join(reversed(suffix)), function)
            if kind is cst.Attribute:
                suffix.append("." + node.attr.value)
                node = node.value
            elif kind is cst.Subscript:
                suffix.append("[]" if suffix else self._keyed(subscript(node)))
                node = node.value
            elif kind is cst.Call:
                step = through_call(node)
                if step is None:
                    return None
                node, taken = step
                suffix.append("[]" if suffix and taken else self._keyed(taken))
            else:
                return None
        return None

    def _keyed(self, step: str) -> str:
        """Note that a place has a constant key. Only its last step has one: what lies below takes any."""
        self._has_keys = self._has_keys or len(step) > len("[]")
        return step

    def below(self, expression: cst.BaseExpression, rest: str, function: Function) -> Place | None:
        """The place of `expression` followed by a path such as `.result` or `[]`."""
        if isinstance(expression, cst.Name):
            return self._named(expression.value, rest, function)
        place = self.place(expression, function)
        return None if place is None else (place[0], place[1], place[2] + rest)

    def _named(self, name: str, suffix: str, function: Function) -> Place | None:
        if "._" in suffix[1:]:
            for step in reversed(private_steps(suffix)):
                owner = self.module.attribute_owners.get(first_attribute(suffix[step:]))
                if owner is not None and owner is not function.owner:
                    return ("s", self.module.class_family(owner), suffix[step:])
        if suffix.startswith(".") and function.owner is not None and name == function.self_name:
            return ("s", self.module.class_family(function.owner), suffix)
        if suffix.startswith("."):
            owner = self._class_of(name, function)
            if owner is None and name != function.self_name and name not in self.module.imports:
                owner = self.module.attribute_owners.get(first_attribute(suffix))
            if owner is not None:
                return ("s", self.module.class_family(owner), suffix)
            return ("o", "", name + suffix)
        scope = self.module.scope_of(name, function)
        return None if scope is None else ("v", id(scope), name + suffix)

    def _class_of(self, name: str, function: Function) -> Class | None:
        """The class of this module that a variable is an instance of, when that is plain to see."""
        scope = self.module.scope_of(name, function)
        if scope is None:
            return None
        key = (id(scope), name)
        if key not in self._classes:
            self._classes[key] = self._bound_class(scope.bindings[name])
        return self._classes[key]

    def _bound_class(self, bindings: list[Binding]) -> Class | None:
        for binding in bindings:
            if binding.kind == "assign" and isinstance(binding.value, cst.Call):
                found = self.module.classes.get(dotted(binding.value.func))
            elif binding.kind == "param" and isinstance(binding.node, cst.Param):
                found = self.module.classes.get(annotation_of(binding.node))
            else:
                found = None
            if found is not None:
                return found
        return None

    def item(self, container: Place) -> Place:
        """The place of the items of a container."""
        kind, owner, path = container
        return (kind, owner, path + "[]")

    def root(self, place: Place) -> Place:
        """The place that stands for the group."""
        parent = self._parent
        path = []
        while (above := parent.get(place)) is not None:
            path.append(place)
            place = above
        for one in path:
            parent[one] = place
        return place

    def _join(self, one: Place, other: Place) -> None:
        first, second = self.root(one), self.root(other)
        if first != second:
            self._parent[second] = first

    # Building

    def _assign(self, assignment: Assignment) -> None:
        target = self.place(assignment.target, assignment.function)
        if target is None:
            return
        if target[0] != "v" or is_item(target[2]):
            self.stored.add(target)
        if assignment.kind in ("for", "unpack", "part"):
            self._bind_item(target, assignment)
        elif assignment.kind == "assign":
            self._bind(target, assignment.value, assignment.function)

    def _annotated_place(self, node: cst.AnnAssign, function: Function, owner: Class | None) -> Place | None:
        if owner is not None and isinstance(node.target, cst.Name):
            return ("s", self.module.class_family(owner), "." + node.target.value)
        return self.place(node.target, function)

    def _bind_item(self, target: Place, assignment: Assignment) -> None:
        value = assignment.value
        if isinstance(value, cst.Await):
            value = taken_item(value)
        container = self.place(value, assignment.function)
        if container is not None and assignment.kind == "part":
            self._join(self.item(self.item(container)), target)
        elif container is not None:
            self._join(self.item(container), target)
        else:
            for element in elements_of(assignment.value):
                self._bind(target, element, assignment.function)
            if assignment.kind == "unpack":
                self._values[target].append(Value(assignment.value, assignment.function))

    def _bind(self, target: Place, value: cst.BaseExpression, function: Function) -> None:
        pending: list[Any] = [value]
        while pending:
            one = pending.pop()
            if type(one) is cst.IfExp:
                pending.extend((one.body, one.orelse))
                continue
            if type(one) is cst.BooleanOperation:
                pending.extend((one.left, one.right))
                continue
            if type(one) is cst.NamedExpr:
                one = one.target
            if type(one) is cst.Await:
                one = taken_item(one)
            source = self.place(one, function)
            if source is not None:
                self._join(source, target)
                continue
            self._values[target].append(Value(one, function))
            for element in elements_of(one):
                self._bind_element(self.item(target), element, function)

    def _bind_element(self, target: Place, element: cst.BaseExpression, function: Function) -> None:
        source = self.place(element, function)
        if source is not None:
            self._join(source, target)
        else:
            self._values[target].append(Value(element, function))
            for inner in elements_of(element):
                place = self.place(inner, function)
                if place is not None:
                    self._join(self.item(target), place)

    def _call(self, call: Call) -> None:
        if call.receiver is not None and call.name in words.CONTAINER_ADDS and call.args:
            container = self.place(call.receiver, call.function)
            if container is not None:
                self._bind_element(self.item(container), call.args[-1], call.function)
                self.stored.add(self.item(container))
        elif call.receiver is not None and call.name == "setdefault" and len(call.args) > 1:
            container = self.place(call.receiver, call.function)
            if container is not None:
                self._bind_element(self.item(container), call.args[1], call.function)
                self.stored.add(self.item(container))
        callee = self.callee(call)
        if callee is None:
            self._construct(call)
            return
        for name, value in bound_arguments(call, callee):
            self.arguments[id(callee), name].append(Value(value, call.function))
            place = self.place(value, call.function)
            if place is not None:
                self._passed[place].append((callee, name))

    def _construct(self, call: Call) -> None:
        """`Item(key, future)` of a class without an `__init__` fills the annotated fields in order."""
        owner = self.module.classes.get(call.name) if call.receiver is None else None
        if owner is None or not owner.fields:
            return
        pairs = [*zip(owner.fields, call.args, strict=False), *call.keywords.items()]
        for name, value in pairs:
            self._bind_element(("s", self.module.class_family(owner), "." + name), value, call.function)

    def callee(self, call: Call) -> Function | None:
        """The function of this module that a call runs: by name, `self.method` or a class's `__init__`."""
        key = id(call.node)
        if key not in self._callees:
            self._callees[key] = self._find_callee(call)
        return self._callees[key]

    def _find_callee(self, call: Call) -> Function | None:
        if call.receiver is None:
            return self.named_function(call.name, call.function)
        if isinstance(call.receiver, cst.Name):
            receiver = call.receiver.value
            if call.function.owner is not None and receiver == call.function.self_name:
                return self.module.find_method(call.function.owner, call.name)
            owner = self.module.classes.get(receiver)
            if owner is None and "_" in call.name.strip("_") and receiver not in self.module.imports:
                owner = self._class_of(receiver, call.function) or self.module.method_owners.get(call.name)
            return self.module.find_method(owner, call.name)
        if dotted(call.receiver) == "super()" and call.function.owner is not None:
            bases = [self.module.classes.get(base) for base in call.function.owner.bases]
            return next(
                (found for base in bases if (found := self.module.find_method(base, call.name))), None
            )
        if call.name.startswith("_") and not call.name.endswith("__"):
            owner = self.module.method_owners.get(call.name)
            return None if owner is call.function.owner else self.module.find_method(owner, call.name)
        return None

    def named_function(self, name: str, function: Function) -> Function | None:
        """The function of this module that a plain name stands for; a class's `__init__` for a class."""
        scope = self.module.scope_of(name, function)
        if scope is None:
            return None
        found = scope.functions.get(name)
        if found is None and any(binding.kind == "class" for binding in scope.bindings[name]):
            qualname = f"{scope.qualname}.{name}" if scope.qualname else name
            found = self.module.find_method(self.module.classes.get(qualname), "__init__")
        given = [binding.value for binding in scope.bindings[name] if binding.kind == "param"]
        if found is None and scope.parent is not None and len(given) == len(scope.bindings[name]) == 1:
            default = given[0]  # `def callback(future, settle=settle)`
            found = (
                self.named_function(default.value, scope.parent) if isinstance(default, cst.Name) else None
            )
        return found

    def _wait(self, kind: str, expression: cst.BaseExpression, node: cst.CSTNode, function: Function) -> None:
        pending: list[tuple[cst.CSTNode, str]] = [(expression, kind)]
        while pending:
            current, how = pending.pop()
            place = None if is_queue_get(current) else self.place(current, function)
            if place is not None:
                self._waits[place].append(Wait(how, node, function))
            if type(current) in (cst.Name, cst.Attribute):
                continue
            if isinstance(current, cst.Call) and id(current) in self.module.call_of:
                self._wait_call(current, kind, node, function, pending)
            elif isinstance(current, (cst.IfExp,)):
                pending.extend(((current.body, how), (current.orelse, how)))
            elif isinstance(current, cst.BooleanOperation):
                pending.extend(((current.left, how), (current.right, how)))
            elif isinstance(current, (cst.Tuple, cst.List, cst.Set)):
                pending.extend((element.value, weaker(how)) for element in current.elements)
                pending.extend((one, weaker(how)) for one in starred_in(current))
            elif isinstance(current, (cst.ListComp, cst.SetComp, cst.GeneratorExp)):
                pending.append((current.elt, weaker(how)))
            elif isinstance(current, (cst.BinaryOperation,)):
                pending.extend(((current.left, weaker(how)), (current.right, weaker(how))))

    def _wait_call(
        self,
        call: cst.Call,
        kind: str,
        node: cst.CSTNode,
        function: Function,
        pending: list[tuple[cst.CSTNode, str]],
    ) -> None:
        if isinstance(call.func, cst.Attribute):
            self._wait_method(call.func.value, call.func.attr.value, node, function)
        if kind == "return" and dotted(call.func).rpartition(".")[2] not in (
            "shield",
            "wait_for",
            "ensure_future",
        ):
            return
        pending.extend((arg.value, "pass") for arg in call.args)
        pending.extend((one, "pass") for one in items_waited_for(call))

    def _wait_method(self, receiver: cst.CSTNode, method: str, node: cst.CSTNode, function: Function) -> None:
        place = self.place(receiver, function)
        if place is not None:
            self._waits[place].append(Wait("method", node, function, method))

    # Asking

    def _join_items(self) -> None:
        """Items of containers that are one are one, too. Each round closes one level."""
        known = self._known_items() if self._has_keys or "].set_" in self.module.text else set()
        for _ in range(_NESTING):
            places = {*known, *self._parent, *self._parent.values(), *self._values, *self._waits}
            joined = False
            for place in places:
                if not is_item(place[2]):
                    continue
                container: Place = (place[0], place[1], container_of(place[2]))
                kind, owner, path = self.root(container)
                step = place[2][len(container[2]) :]
                others: list[Place] = [(kind, owner, path + step), (kind, owner, path + "[]")]
                for other in others if others[1] in places else others[:1]:
                    if self.root(other) != self.root(place):
                        self._join(other, place)
                        joined = True
            if not joined:
                return

    def _known_items(self) -> set[Place]:
        """Items that the module speaks of, those without a constant key also on the way to something else."""
        places = [*self._parent, *self._parent.values(), *self._values, *self._waits, *self._passed]
        for call in self.module.calls:
            for one in (call.receiver, *call.args):
                place = self.place(one, call.function) if type(one) in _STEPS else None
                if place is not None:
                    places.append(place)
        return {place for place in places if is_item(place[2])} | {
            (kind, owner, path[: index + 2])
            for kind, owner, path in places
            for index in range(len(path))
            if path.startswith("[]", index)
        }

    def _close(self) -> None:
        """Move what was collected to the groups' roots."""
        self._join_items()
        self._gather(self._values)
        self._gather(self._waits)
        self._gather(self._passed)
        self._gather(self.annotations)
        self.stored = {self.root(place) for place in self.stored}
        for place in {*self._parent, *self._parent.values()}:
            self._members[self.root(place)].append(place)

    def _gather(self, table: dict[Place, list[_Entry]]) -> None:
        for place in list(table):
            root = self.root(place)
            if root != place:
                table[root].extend(table.pop(place))

    def members(self, place: Place) -> list[Place]:
        """All places of a group."""
        root = self.root(place)
        return self._members.get(root) or [root]

    def values(self, place: Place) -> list[Value]:
        """What a place may hold, as far as it is written in this module."""
        return self._values.get(self.root(place), [])

    def holding(self, node: cst.CSTNode) -> list[Place]:
        """The groups that may hold what one expression makes."""
        return self._holders.get(id(node), [])

    @cached_property
    def _holders(self) -> dict[int, list[Place]]:
        found: dict[int, list[Place]] = {}
        for place, values in self._values.items():
            for value in values:
                found.setdefault(id(value.node), []).append(place)
        return found

    def waits(self, place: Place, *, hops: int = 1) -> list[Wait]:
        """Who waits for what a place holds, also in functions of the module it is passed to."""
        root = self.root(place)
        found = list(self._waits.get(root, ()))
        if not hops:
            return found
        for callee, name in self._passed.get(root, ()):
            found.extend(
                wait for wait in self.waits(("v", id(callee), name), hops=hops - 1) if wait.kind != "return"
            )
        for _, owner, path in self.members(root):
            for value in self.arguments.get((owner, path), ()) if isinstance(owner, int) else ():
                given = self.place(value.node, value.function)
                if given is not None:
                    found.extend(self.waits(given, hops=hops - 1))
        return found

    def is_stored(self, place: Place) -> bool:
        """Whether others can reach it: an attribute or an item of a container holds it."""
        return self.root(place) in self.stored
