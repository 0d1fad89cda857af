"""The parts of a module model: functions, classes, calls, assignments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libcst as cst


@dataclass(slots=True, eq=False)
class Call:
    """One call.

    Attributes:
        node: The call.
        function: The function whose body holds it.
        name: The last part of what is called: `create_task` of `asyncio.create_task`.
        receiver: What stands before the last dot; None for a plain name.
        qualified: The dotted name with imports resolved: `asyncio.create_task`; empty when it is no path.
        args: Positional arguments; a starred one stands for itself.
        keywords: Keyword arguments by name.
    """

    node: cst.Call
    function: Function
    name: str
    receiver: cst.BaseExpression | None
    qualified: str
    args: list[cst.BaseExpression]
    keywords: dict[str, cst.BaseExpression]


@dataclass(slots=True, eq=False)
class Binding:
    """One place where a name of a scope gets a value.

    Attributes:
        kind: `assign`, `param`, `for`, `with`, `def`, `class`, `import`, `unpack`, `part`, `except`.
        value: The expression behind it: the assigned value, what is iterated, the context manager.
        node: The node that binds.
    """

    kind: str
    value: cst.BaseExpression | None
    node: cst.CSTNode


@dataclass(slots=True, eq=False)
class Assignment:
    """`target = value`, also from a for loop (`kind` is "for": the target is an item of the value)."""

    kind: str
    target: cst.BaseExpression
    value: cst.BaseExpression
    node: cst.CSTNode
    function: Function


@dataclass(slots=True, eq=False)
class Class:
    """A class: its methods by name, its bases as written, its annotated fields in order, and where it is."""

    node: cst.ClassDef | None
    name: str
    qualname: str
    bases: list[str]
    methods: dict[str, Function] = field(default_factory=dict)
    properties: set[str] = field(default_factory=set)
    fields: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Function:
    """A function, a lambda, or the module's own code (`node` is then the module).

    Attributes:
        owner: The class that `self` stands for in it, also in functions nested in a method.
        is_method: Whether it stands directly in the class body.
        calls, awaits, returns, assignments: What its own body holds, nested functions left out, in order.
    """

    node: cst.CSTNode
    name: str
    qualname: str
    parent: Function | None
    owner: Class | None
    is_method: bool
    is_async: bool
    params: list[str]
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    nested: list[Function] = field(default_factory=list)
    outer_names: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    awaits: list[cst.Await] = field(default_factory=list)
    returns: list[cst.BaseExpression] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    withs: list[cst.With] = field(default_factory=list)
    fors: list[cst.For] = field(default_factory=list)

    def close(self) -> None:
        """Let go of what names the function, too."""
        self.parent = self.owner = None
        for held in (self.bindings, self.functions, self.nested, self.calls, self.assignments):
            held.clear()

    @property
    def self_name(self) -> str:
        """The first parameter of the method around it; empty outside methods."""
        function: Function | None = self
        while function is not None and not function.is_method:
            function = function.parent
        return function.params[0] if function is not None and function.params else ""

    def lineage(self) -> Iterator[Function]:
        """The function, those around it, and the module's code."""
        function: Function | None = self
        while function is not None:
            yield function
            function = function.parent

    def subtree(self) -> Iterator[Function]:
        """The function and those nested in it."""
        stack = [self]
        while stack:
            function = stack.pop()
            yield function
            stack.extend(reversed(function.nested))
