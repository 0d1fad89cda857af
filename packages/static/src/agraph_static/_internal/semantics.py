"""A module as the rules see it: functions, classes, names, calls and waits.

It is built in one pass over the libcst tree. Nothing is executed and no other file is read. What the model
cannot know it leaves open, and rules then stay silent or lower their confidence.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.expressions import tuple_fields
from agraph_static._internal.scopes import Assignment, Binding, Call, Class, Function
from agraph_static._internal.tree import EMPTY, Positions, children, dotted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agraph_static._internal.skeleton_positions import SkeletonPositions

Scoped = cst.FunctionDef | cst.Lambda


class Module:
    """One parsed source file.

    Attributes:
        tree: The libcst module.
        path: The file as given.
        text: Its source.
        body: The module's own code as a function.
        functions: Every function and lambda, in source order.
        classes: Every class, by qualified name.
        imports: Local name -> dotted name.
        parents: id of a node -> the node around it.
        by_node: id of a node -> the function it defines.
        call_of: id of a call's node -> the call.
        annotated: Annotated assignments, with the function and the class body they stand in.
    """

    def __init__(
        self, text: str, path: str, tree: cst.Module, positions: SkeletonPositions | None = None
    ) -> None:
        """Index a parsed module.

        Args:
            text: The source.
            path: The file as given.
            tree: What libcst parsed from `text`, or its skeleton.
            positions: Where the nodes of a skeleton are; None for a tree that libcst parsed.
        """
        self.text = text
        self.path = path
        self.tree = tree
        self.imports: dict[str, str] = {}
        self.classes: dict[str, Class] = {}
        self.parents: dict[int, cst.CSTNode] = {}
        self.by_node: dict[int, Function] = {}
        self.call_of: dict[int, Call] = {}
        self.annotated: list[tuple[cst.AnnAssign, Function, Class | None]] = []
        self.body: Function = Function(tree, "", "", None, None, is_method=False, is_async=False, params=[])
        self.functions: list[Function] = [self.body]
        self._positions: Positions | SkeletonPositions | None = positions
        _Builder(self).run()

    def close(self) -> None:
        """Undo the cycles of the model: functions, classes and calls name each other."""
        for function in self.functions:
            function.close()

    @property
    def positions(self) -> Positions | SkeletonPositions:
        """Where nodes are; computed when first asked for."""
        if self._positions is None:
            self._positions = Positions(self.tree, self.text)
        return self._positions

    def code(self, node: cst.CSTNode) -> str:
        """The source of a node."""
        positions = self._positions
        if positions is None or isinstance(positions, Positions):
            return self.tree.code_for_node(node)
        return positions.code(node)

    @property
    def calls(self) -> Iterator[Call]:
        """Every call of the module."""
        for function in self.functions:
            yield from function.calls

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, innermost first."""
        current = self.parents.get(id(node))
        while current is not None:
            yield current
            current = self.parents.get(id(current))

    def qualify(self, name: str) -> str:
        """A dotted name with its first part resolved through the imports."""
        head, dot, rest = name.partition(".")
        target = self.imports.get(head)
        return name if target is None else target + dot + rest

    def scope_of(self, name: str, function: Function) -> Function | None:
        """The function whose variable a name is; None for a global that nothing here binds."""
        for scope in function.lineage():
            if name in scope.bindings and name not in scope.outer_names:
                return scope
        return None

    def find_method(self, owner: Class | None, name: str) -> Function | None:
        """A method of a class, or of its bases as far as they stand in this module."""
        pending, seen = [owner], set()
        while pending:
            current = pending.pop(0)
            if current is None or current.qualname in seen:
                continue
            seen.add(current.qualname)
            if name in current.methods:
                return current.methods[name]
            pending.extend(self.classes.get(base) for base in current.bases)
        return None

    @cached_property
    def attribute_owners(self) -> dict[str, Class | None]:
        """The class of this module that has an attribute of a name; None where several have it."""
        owners: dict[str, Class | None] = {}
        for one in self.classes.values():
            names = set(one.fields)
            for method in one.methods.values():
                names.update(
                    assignment.target.attr.value
                    for assignment in method.assignments
                    if isinstance(assignment.target, cst.Attribute)
                    and dotted(assignment.target.value) == method.self_name
                )
            for name in names:
                owners[name] = one if owners.get(name, one) is one else None
        return owners

    @cached_property
    def method_owners(self) -> dict[str, Class | None]:
        """The class of this module that has a method of a name; None where several have it."""
        owners: dict[str, Class | None] = {}
        for one in self.classes.values():
            for name in one.methods:
                owners[name] = one if owners.get(name, one) is one else None
        return owners

    def class_family(self, owner: Class) -> str:
        """One name for a class and the bases it has in this module: the root's qualified name."""
        current, seen = owner, {owner.qualname}
        while True:
            bases = [self.classes[base] for base in current.bases if base in self.classes]
            if not bases or bases[0].qualname in seen:
                return current.qualname
            current = bases[0]
            seen.add(current.qualname)


class _Builder:
    """Walks the tree once with an explicit stack."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def run(self) -> None:
        module = self.module
        stack: list[tuple[cst.CSTNode, Function, Class | None]] = [(module.tree, module.body, None)]
        parents = module.parents
        push, pop = stack.append, stack.pop
        handler_of, empty = _HANDLERS.get, EMPTY
        while stack:
            node, function, owner = pop()
            handler = handler_of(type(node))
            if handler is not None:
                function, owner = handler(self, node, function, owner)
            below = children(node)
            below.reverse()
            for child in below:
                parents[id(child)] = node
                if type(child) not in empty:  # half of all nodes are names
                    push((child, function, owner))

    # Handlers return the function and class that hold for the nodes below.

    def function(
        self, node: cst.FunctionDef, function: Function, owner: Class | None
    ) -> tuple[Function, None]:
        is_method = owner is not None
        holder = owner if is_method else function.owner
        prefix = owner.qualname if owner else function.qualname
        qualname = f"{prefix}.{node.name.value}" if prefix else node.name.value
        new = Function(
            node, node.name.value, qualname, function, holder,
            is_method=is_method and not _is_static(node), is_async=node.asynchronous is not None,
            params=_parameters(node.params),
        )  # fmt: skip
        if owner is not None:
            owner.methods.setdefault(new.name, new)
            if _is_property(node):
                owner.properties.add(new.name)
        else:
            function.functions[new.name] = new
            _bind(function, new.name, Binding("def", None, node))
        self._add(new, function)
        return new, None

    def lambda_(self, node: cst.Lambda, function: Function, owner: Class | None) -> tuple[Function, None]:
        holder = owner or function.owner
        qualname = f"{function.qualname}.<lambda>" if function.qualname else "<lambda>"
        new = Function(
            node, "<lambda>", qualname, function, holder,
            is_method=False, is_async=False, params=_parameters(node.params),
        )  # fmt: skip
        new.returns.append(node.body)
        self._add(new, function)
        return new, None

    def _add(self, new: Function, parent: Function) -> None:
        parent.nested.append(new)
        self.module.functions.append(new)
        self.module.by_node[id(new.node)] = new
        for parameter in _all_parameters(new.node.params):  # type: ignore[attr-defined]
            _bind(new, parameter.name.value, Binding("param", parameter.default, parameter))

    def class_(self, node: cst.ClassDef, function: Function, owner: Class | None) -> tuple[Function, Class]:
        prefix = owner.qualname if owner else function.qualname
        name = f"{prefix}.{node.name.value}" if prefix else node.name.value
        new = Class(node, node.name.value, name, [dotted(base.value) for base in node.bases])
        self.module.classes.setdefault(name, new)
        self.module.by_node[id(node)] = function
        if owner is None:
            _bind(function, node.name.value, Binding("class", None, node))
        return function, new

    def call(self, node: cst.Call, function: Function, owner: Class | None) -> tuple[Function, Class | None]:
        func = node.func
        receiver = func.value if isinstance(func, cst.Attribute) else None
        name = func.attr.value if isinstance(func, cst.Attribute) else dotted(func)
        qualified = self.module.qualify(dotted(func))
        args: list[cst.BaseExpression] = []
        keywords: dict[str, cst.BaseExpression] = {}
        for arg in node.args:
            if arg.keyword is not None:
                keywords[arg.keyword.value] = arg.value
            elif arg.star != "**":
                args.append(arg.value)
        call = Call(node, function, name, receiver, qualified, args, keywords)
        function.calls.append(call)
        self.module.call_of[id(node)] = call
        return function, owner

    def await_(
        self, node: cst.Await, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        function.awaits.append(node)
        return function, owner

    def return_(
        self, node: cst.Return | cst.Yield, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        value = node.value
        if isinstance(value, cst.From):
            value = value.item
        if value is not None:
            function.returns.append(value)
        return function, owner

    def assign(
        self, node: cst.Assign, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        for target in node.targets:
            self._target("assign", target.target, node.value, node, function)
        self._named_tuple(node, function)
        first = node.targets[0].target
        for target in node.targets[1:]:  # a = b = value: both name one object
            function.assignments.append(Assignment("assign", target.target, first, node, function))
        return function, owner

    def _named_tuple(self, node: cst.Assign, function: Function) -> None:
        """`Item = namedtuple("Item", "key, future")` is a class with these fields."""
        target = node.targets[0].target
        fields = tuple_fields(node.value)
        if fields and isinstance(target, cst.Name) and function is self.module.body:
            new = Class(None, target.value, target.value, [], fields=fields)
            self.module.classes.setdefault(target.value, new)

    def ann_assign(
        self, node: cst.AnnAssign, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        self.module.annotated.append((node, function, owner))
        if owner is not None and isinstance(node.target, cst.Name):
            owner.fields.append(node.target.value)
        if node.value is not None:
            self._target("assign", node.target, node.value, node, function)
        return function, owner

    def named(
        self, node: cst.NamedExpr, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        self._target("assign", node.target, node.value, node, function)
        return function, owner

    def for_(
        self, node: cst.For | cst.CompFor, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        if isinstance(node, cst.For):
            function.fors.append(node)
        self._target("for", node.target, node.iter, node, function)
        return function, owner

    def with_(self, node: cst.With, function: Function, owner: Class | None) -> tuple[Function, Class | None]:
        function.withs.append(node)
        for item in node.items:
            if item.asname is not None:
                self._target("with", item.asname.name, item.item, node, function)
        return function, owner

    def outer(
        self, node: cst.Global | cst.Nonlocal, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        function.outer_names.update(item.name.value for item in node.names)
        return function, owner

    def except_(
        self, node: cst.ExceptHandler, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        if node.name is not None and isinstance(node.name.name, cst.Name):
            _bind(function, node.name.name.value, Binding("except", None, node))
        return function, owner

    def import_(
        self, node: cst.Import, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        for alias in node.names:
            full = dotted(alias.name)
            local = alias.evaluated_alias
            if local is None:
                self.module.imports.setdefault(full.partition(".")[0], full.partition(".")[0])
            else:
                self.module.imports.setdefault(local, full)
        return function, owner

    def import_from(
        self, node: cst.ImportFrom, function: Function, owner: Class | None
    ) -> tuple[Function, Class | None]:
        base = "." * len(node.relative) + dotted(node.module)
        if not isinstance(node.names, cst.ImportStar):
            for alias in node.names:
                name = dotted(alias.name)
                local = alias.evaluated_alias or name
                self.module.imports.setdefault(
                    local, f"{base}.{name}" if not base.endswith(".") else base + name
                )
        return function, owner

    def _target(
        self,
        kind: str,
        target: cst.BaseExpression,
        value: cst.BaseExpression,
        node: cst.CSTNode,
        function: Function,
    ) -> None:
        pending: list[tuple[str, cst.BaseExpression, cst.BaseExpression]] = [(kind, target, value)]
        while pending:
            kind, target, value = pending.pop(0)
            if isinstance(target, (cst.Tuple, cst.List)):
                pending.extend(_unpacked(kind, target, value))
                continue
            if isinstance(target, cst.Name):
                _bind(function, target.value, Binding(kind, value, node))
            function.assignments.append(Assignment(kind, target, value, node, function))


def _unpacked(
    kind: str, target: cst.Tuple | cst.List, value: cst.BaseExpression
) -> Iterator[tuple[str, cst.BaseExpression, cst.BaseExpression]]:
    """The pairs of `a, b = x, y`; for other values each target is some part of the value.

    Kinds: `for`: an item of the value; `unpack`: an item, too; `part`: an item of an item.
    """
    targets = [element.value for element in target.elements]
    if kind == "assign" and isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == len(targets):
        yield from (
            ("assign", one, element.value) for one, element in zip(targets, value.elements, strict=True)
        )
    elif kind == "for":
        yield from _unpacked_loop(targets, value)
    else:
        yield from (("unpack", one, value) for one in targets)


def _unpacked_loop(
    targets: list[cst.BaseExpression], value: cst.BaseExpression
) -> Iterator[tuple[str, cst.BaseExpression, cst.BaseExpression]]:
    """`for a, b in zip(x, y)`, `for i, a in enumerate(x)`, `for k, v in x.items()`."""
    if isinstance(value, cst.Call) and value.args and dotted(value.func) == "zip":
        for one, arg in zip(targets, value.args, strict=False):
            yield "for", one, arg.value
    elif isinstance(value, cst.Call) and value.args and dotted(value.func) == "enumerate":
        yield "for", targets[-1], value.args[0].value
    elif (
        isinstance(value, cst.Call)
        and isinstance(value.func, cst.Attribute)
        and value.func.attr.value == "items"
    ):
        yield "for", targets[-1], value.func.value
    else:
        for one in targets:
            yield "part", one, value


def _bind(function: Function, name: str, binding: Binding) -> None:
    if name in function.outer_names:
        for scope in function.lineage():
            if scope is not function and name in scope.bindings:
                scope.bindings[name].append(binding)
                return
    function.bindings.setdefault(name, []).append(binding)


def _parameters(parameters: cst.Parameters) -> list[str]:
    """The names that positional arguments bind, in order."""
    return [parameter.name.value for parameter in (*parameters.posonly_params, *parameters.params)]


def _all_parameters(parameters: cst.Parameters) -> list[cst.Param]:
    found = [*parameters.posonly_params, *parameters.params, *parameters.kwonly_params]
    found.extend(one for one in (parameters.star_arg, parameters.star_kwarg) if isinstance(one, cst.Param))
    return found


def _decorators(node: cst.FunctionDef) -> list[str]:
    return [dotted(decorator.decorator) for decorator in node.decorators]


def _is_static(node: cst.FunctionDef) -> bool:
    return "staticmethod" in _decorators(node)


def _is_property(node: cst.FunctionDef) -> bool:
    return any(name.endswith("property") for name in _decorators(node))


_HANDLERS: dict[type, Callable[..., tuple[Function, Class | None]]] = {
    cst.FunctionDef: _Builder.function,
    cst.Lambda: _Builder.lambda_,
    cst.ClassDef: _Builder.class_,
    cst.Call: _Builder.call,
    cst.Await: _Builder.await_,
    cst.Return: _Builder.return_,
    cst.Yield: _Builder.return_,
    cst.Assign: _Builder.assign,
    cst.AnnAssign: _Builder.ann_assign,
    cst.NamedExpr: _Builder.named,
    cst.For: _Builder.for_,
    cst.CompFor: _Builder.for_,
    cst.With: _Builder.with_,
    cst.Global: _Builder.outer,
    cst.Nonlocal: _Builder.outer,
    cst.ExceptHandler: _Builder.except_,
    cst.Import: _Builder.import_,
    cst.ImportFrom: _Builder.import_from,
}
