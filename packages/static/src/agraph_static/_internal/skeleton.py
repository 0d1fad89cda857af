"""A libcst tree without whitespace, made from the standard parser's tree at a tenth of the price.

The rules run over it first. Only a file in which they find something there is parsed by libcst, which then
decides and fixes. The nodes are of libcst's own classes, so both runs execute the same code; they hold what
`tree.children` and the rules read, and nothing else.

libcst's nodes are frozen dataclasses with slots. They are made here without their constructors, which check
what the standard parser has checked already.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, TypeVar

import libcst as cst

from agraph_static._internal.skeleton_positions import SkeletonPositions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    _Filler = Callable[["_Builder", Any, cst.CSTNode], None]

_new = object.__new__
_set = object.__setattr__

_Kind = TypeVar("_Kind", bound=cst.CSTNode)

_NEWLINE = re.compile(r"\r\n|\r|\n")
_INDENT = re.compile(r":[ \t]*(?:#.*)?(?:\r\n|\r|\n)([ \t]+)")
"""The first indentation, most likely: where it is another, a fix is drafted again from the whole tree."""


def skeleton(tree: ast.Module, text: str) -> tuple[cst.Module, SkeletonPositions]:
    """Make the skeleton of a module.

    Args:
        tree: The standard parser's tree.
        text: What it was parsed from.

    Returns:
        The libcst module and where its nodes are.
    """
    builder = _Builder()
    newline, indent = _NEWLINE.search(text), _INDENT.search(text)
    module = builder.make(
        cst.Module, tree, body=[builder.statement(one) for one in tree.body],
        default_newline=newline[0] if newline else "\n", default_indent=indent[1] if indent else "    ",
    )  # fmt: skip
    builder.fill()
    return module, SkeletonPositions(text, builder.places)


class _Builder:
    """Makes nodes empty and fills them from a list, so that no nesting is too deep for it."""

    def __init__(self) -> None:
        self.places: dict[int, ast.AST] = {}
        self.pending: list[tuple[ast.AST, cst.CSTNode]] = []

    def fill(self) -> None:
        pending, fillers = self.pending, _FILLERS
        while pending:
            source, node = pending.pop()
            fillers[type(source)][1](self, source, node)

    def node(self, source: ast.AST | None) -> cst.CSTNode | None:
        """The node for an expression, a pattern or a statement; it is filled later. None for None."""
        if source is None:
            return None
        kind = type(source)
        if kind is ast.Name:  # half of all nodes are names
            leaf: cst.CSTNode = _new(cst.Name)
            _set(leaf, "value", source.id)  # type: ignore[attr-defined]
            self.places[id(leaf)] = source
            return leaf
        if kind is ast.Constant:
            return self.constant(source)  # type: ignore[arg-type]
        known = _FILLERS.get(kind)
        node: cst.CSTNode = _new(
            cst.Pass if known is None else known[0]
        )  # no rule looks into patterns and such
        if known is not None:
            self.pending.append((source, node))
        self.places[id(node)] = source
        return node

    def constant(self, source: ast.Constant) -> cst.CSTNode:
        value = source.value
        kind = _CONSTANTS.get(type(value), cst.Name)
        node = _new(kind)
        if kind is not cst.Ellipsis:
            _set(node, "value", repr(value))
        self.places[id(node)] = source
        return node

    def leaf(self, text: str, source: ast.AST) -> cst.Name:
        """A name that stands for (a part of) a node of the standard parser."""
        node = _new(cst.Name)
        _set(node, "value", text)
        self.places[id(node)] = source
        return node

    def nodes(self, sources: Sequence[ast.AST | None]) -> list[cst.CSTNode | None]:
        return [self.node(one) for one in sources]

    def make(self, kind: type[_Kind], source: ast.AST, **fields: object) -> _Kind:
        """A filled node that stands for (a part of) a node of the standard parser."""
        node = _new(kind)
        for name, value in fields.items():
            _set(node, name, value)
        self.places[id(node)] = source
        return node

    def name(self, text: str, source: ast.AST) -> cst.CSTNode:
        """A dotted name."""
        first, *rest = text.split(".")
        node: cst.CSTNode = self.leaf(first, source)
        for part in rest:
            attribute = self.leaf(part, source)
            node = self.make(cst.Attribute, source, value=node, attr=attribute)
        return node

    def statement(self, source: ast.stmt) -> cst.CSTNode | None:
        node = self.node(source)
        if type(source) in _COMPOUND:
            return node
        line: cst.CSTNode = _new(cst.SimpleStatementLine)
        _set(line, "body", [node])
        self.places[id(line)] = source
        return line

    def block(self, sources: list[ast.stmt], owner: ast.AST | None = None) -> cst.CSTNode:
        if sources[0].lineno == getattr(owner, "lineno", 0):
            return self.make(cst.SimpleStatementSuite, sources[0], body=self.nodes(sources))
        body = [self.statement(one) for one in sources]
        return self.make(cst.IndentedBlock, sources[0], body=body, indent=None)

    def otherwise(self, kind: type[_Kind], sources: list[ast.stmt]) -> _Kind | None:
        """An `else` or `finally`; None for an empty one."""
        return self.make(kind, sources[0], body=self.block(sources)) if sources else None

    def elements(self, sources: Sequence[ast.expr]) -> list[cst.CSTNode]:
        return [
            self.make(cst.StarredElement, one, value=self.node(one.value))
            if isinstance(one, ast.Starred)
            else self.make(cst.Element, one, value=self.node(one))
            for one in sources
        ]

    def arguments(self, positional: list[ast.expr], keywords: list[ast.keyword]) -> list[cst.Arg]:
        found = []
        for one in positional:
            value, star = (one.value, "*") if isinstance(one, ast.Starred) else (one, "")
            argument: cst.Arg = _new(cst.Arg)
            _set(argument, "value", self.node(value))
            _set(argument, "keyword", None)
            _set(argument, "star", star)
            self.places[id(argument)] = one
            found.append(argument)
        for given in keywords:
            name = self.leaf(given.arg, given) if given.arg else None
            star = "" if given.arg else "**"
            found.append(self.make(cst.Arg, given, value=self.node(given.value), keyword=name, star=star))
        return found

    def parameters(self, source: ast.arguments, owner: ast.AST) -> cst.Parameters:
        plain = [*source.posonlyargs, *source.args]
        defaults = [*[None] * (len(plain) - len(source.defaults)), *source.defaults]
        made = [self.parameter(one, default) for one, default in zip(plain, defaults, strict=True)]
        split = len(source.posonlyargs)
        keyword = [
            self.parameter(one, default)
            for one, default in zip(source.kwonlyargs, source.kw_defaults, strict=True)
        ]
        return self.make(
            cst.Parameters, owner, posonly_params=made[:split], params=made[split:], kwonly_params=keyword,
            star_arg=self.parameter(source.vararg, None) if source.vararg else cst.MaybeSentinel.DEFAULT,
            star_kwarg=self.parameter(source.kwarg, None) if source.kwarg else None,
        )  # fmt: skip

    def parameter(self, source: ast.arg, default: ast.expr | None) -> cst.Param:
        return self.make(
            cst.Param, source, name=self.leaf(source.arg, source), default=self.node(default),
            annotation=self.annotation(source.annotation),
        )  # fmt: skip

    def annotation(self, source: ast.expr | None) -> cst.Annotation | None:
        return None if source is None else self.make(cst.Annotation, source, annotation=self.node(source))

    def comprehension(self, generators: list[ast.comprehension]) -> cst.CompFor | None:
        inner: cst.CompFor | None = None
        for one in reversed(generators):
            conditions = [self.make(cst.CompIf, test, test=self.node(test)) for test in one.ifs]
            inner = self.make(
                cst.CompFor, one.target, target=self.node(one.target), iter=self.node(one.iter),
                ifs=conditions, inner_for_in=inner, asynchronous=one if one.is_async else None,
            )  # fmt: skip
        return inner


def _plain(kind: type[cst.CSTNode], **fields: str) -> tuple[type[cst.CSTNode], _Filler]:
    """A filler that takes fields over: one node, or a list of nodes."""
    pairs = tuple(fields.items())

    def fill(build: _Builder, source: ast.AST, node: cst.CSTNode) -> None:
        for name, theirs in pairs:
            value = getattr(source, theirs)
            _set(node, name, build.nodes(value) if isinstance(value, list) else build.node(value))

    return kind, fill


def _attribute(build: _Builder, source: ast.Attribute, node: cst.CSTNode) -> None:
    _set(node, "value", build.node(source.value))
    _set(node, "attr", build.leaf(source.attr, source))


def _subscript(build: _Builder, source: ast.Subscript, node: cst.CSTNode) -> None:
    _set(node, "value", build.node(source.value))
    parts = source.slice.elts if isinstance(source.slice, ast.Tuple) else [source.slice]
    made = []
    for part in parts:
        inner = (
            build.node(part)
            if isinstance(part, ast.Slice)
            else build.make(cst.Index, part, value=build.node(part))
        )
        made.append(build.make(cst.SubscriptElement, part, slice=inner))
    _set(node, "slice", made)


def _call(build: _Builder, source: ast.Call, node: cst.CSTNode) -> None:
    _set(node, "func", build.node(source.func))
    _set(node, "args", build.arguments(source.args, source.keywords))


def _boolean(build: _Builder, source: ast.BoolOp, node: cst.CSTNode) -> None:
    *before, last = build.nodes(source.values)
    left = before.pop(0)
    for right in before:
        left = build.make(cst.BooleanOperation, source, left=left, right=right)
    _set(node, "left", left)
    _set(node, "right", last)


def _comparison(build: _Builder, source: ast.Compare, node: cst.CSTNode) -> None:
    _set(node, "left", build.node(source.left))
    made = [build.make(cst.ComparisonTarget, one, comparator=build.node(one)) for one in source.comparators]
    _set(node, "comparisons", made)


def _yield_from(build: _Builder, source: ast.YieldFrom, node: cst.CSTNode) -> None:
    _set(node, "value", build.make(cst.From, source, item=build.node(source.value)))


def _elements(build: _Builder, source: ast.List | ast.Tuple | ast.Set, node: cst.CSTNode) -> None:
    _set(node, "elements", build.elements(source.elts))


def _dict(build: _Builder, source: ast.Dict, node: cst.CSTNode) -> None:
    made = [
        build.make(cst.StarredDictElement, value, value=build.node(value))
        if key is None
        else build.make(cst.DictElement, key, key=build.node(key), value=build.node(value))
        for key, value in zip(source.keys, source.values, strict=True)
    ]
    _set(node, "elements", made)


def _generator(
    build: _Builder, source: ast.ListComp | ast.SetComp | ast.GeneratorExp, node: cst.CSTNode
) -> None:
    _set(node, "elt", build.node(source.elt))
    _set(node, "for_in", build.comprehension(source.generators))


def _dict_comprehension(build: _Builder, source: ast.DictComp, node: cst.CSTNode) -> None:
    _set(node, "key", build.node(source.key))
    _set(node, "value", build.node(source.value))
    _set(node, "for_in", build.comprehension(source.generators))


def _formatted(build: _Builder, source: ast.JoinedStr, node: cst.CSTNode) -> None:
    values = [one for one in source.values if not isinstance(one, ast.Constant)]
    _set(node, "parts", build.nodes(values))
    _set(node, "end", "")


def _replacement(build: _Builder, source: ast.FormattedValue, node: cst.CSTNode) -> None:
    _set(node, "expression", build.node(source.value))
    _set(node, "conversion", None)
    _set(node, "format_spec", build.nodes([source.format_spec]) if source.format_spec is not None else None)


def _lambda(build: _Builder, source: ast.Lambda, node: cst.CSTNode) -> None:
    _set(node, "params", build.parameters(source.args, source))
    _set(node, "body", build.node(source.body))


def _function(build: _Builder, source: ast.FunctionDef | ast.AsyncFunctionDef, node: cst.CSTNode) -> None:
    _set(node, "name", build.leaf(source.name, source))
    _set(node, "params", build.parameters(source.args, source))
    _set(node, "body", build.block(source.body, source))
    _set(node, "decorators", _decorators(build, source.decorator_list))
    _set(node, "asynchronous", source if isinstance(source, ast.AsyncFunctionDef) else None)


def _decorators(build: _Builder, sources: list[ast.expr]) -> list[cst.Decorator]:
    return [build.make(cst.Decorator, one, decorator=build.node(one)) for one in sources]


def _class(build: _Builder, source: ast.ClassDef, node: cst.CSTNode) -> None:
    _set(node, "name", build.leaf(source.name, source))
    _set(node, "body", build.block(source.body, source))
    _set(node, "bases", build.arguments(source.bases, []))
    _set(node, "keywords", build.arguments([], source.keywords))
    _set(node, "decorators", _decorators(build, source.decorator_list))


def _assign(build: _Builder, source: ast.Assign, node: cst.CSTNode) -> None:
    _set(node, "value", build.node(source.value))
    targets = [build.make(cst.AssignTarget, one, target=build.node(one)) for one in source.targets]
    _set(node, "targets", targets)


def _annotated(build: _Builder, source: ast.AnnAssign, node: cst.CSTNode) -> None:
    _set(node, "target", build.node(source.target))
    _set(node, "annotation", build.annotation(source.annotation))
    _set(node, "value", build.node(source.value))


def _delete(build: _Builder, source: ast.Delete, node: cst.CSTNode) -> None:
    _set(node, "target", build.make(cst.Tuple, source, elements=build.elements(source.targets)))


def _outer(build: _Builder, source: ast.Global | ast.Nonlocal, node: cst.CSTNode) -> None:
    names = [build.make(cst.NameItem, source, name=build.name(one, source)) for one in source.names]
    _set(node, "names", names)


def _aliases(build: _Builder, source: ast.Import | ast.ImportFrom) -> list[cst.ImportAlias]:
    made = []
    for one in source.names:
        local = build.make(cst.AsName, one, name=build.name(one.asname, one)) if one.asname else None
        made.append(build.make(cst.ImportAlias, one, name=build.name(one.name, one), asname=local))
    return made


def _import(build: _Builder, source: ast.Import, node: cst.CSTNode) -> None:
    _set(node, "names", _aliases(build, source))


def _import_from(build: _Builder, source: ast.ImportFrom, node: cst.CSTNode) -> None:
    _set(node, "module", build.name(source.module, source) if source.module else None)
    _set(node, "relative", [None] * source.level)
    star = [one.name for one in source.names] == ["*"]
    _set(node, "names", build.make(cst.ImportStar, source) if star else _aliases(build, source))


def _loop(build: _Builder, source: ast.For | ast.AsyncFor | ast.While, node: cst.CSTNode) -> None:
    if isinstance(source, ast.While):
        _set(node, "test", build.node(source.test))
    else:
        _set(node, "target", build.node(source.target))
        _set(node, "iter", build.node(source.iter))
        _set(node, "asynchronous", source if isinstance(source, ast.AsyncFor) else None)
    _set(node, "body", build.block(source.body, source))
    _set(node, "orelse", build.otherwise(cst.Else, source.orelse))


def _if(build: _Builder, source: ast.If, node: cst.CSTNode) -> None:
    _set(node, "test", build.node(source.test))
    _set(node, "body", build.block(source.body, source))
    rest = source.orelse
    # The standard parser puts an `elif` where its `if` begins.
    chained = len(rest) == 1 and isinstance(rest[0], ast.If) and rest[0].col_offset == source.col_offset
    _set(node, "orelse", build.node(rest[0]) if chained else build.otherwise(cst.Else, rest))


def _with(build: _Builder, source: ast.With | ast.AsyncWith, node: cst.CSTNode) -> None:
    items = []
    for one in source.items:
        target = one.optional_vars
        name = build.make(cst.AsName, target, name=build.node(target)) if target is not None else None
        item = build.make(cst.WithItem, one.context_expr, item=build.node(one.context_expr), asname=name)
        items.append(item)
    _set(node, "items", items)
    _set(node, "body", build.block(source.body, source))
    _set(node, "asynchronous", source if isinstance(source, ast.AsyncWith) else None)


def _try(build: _Builder, source: ast.Try | ast.TryStar, node: cst.CSTNode) -> None:
    _set(node, "body", build.block(source.body, source))
    star = isinstance(source, ast.TryStar)
    handlers = []
    for one in source.handlers:
        name = build.make(cst.AsName, one, name=build.name(one.name, one)) if one.name else None
        kind = cst.ExceptStarHandler if star else cst.ExceptHandler
        handler = build.make(kind, one, body=build.block(one.body, one), type=build.node(one.type), name=name)
        handlers.append(handler)
    _set(node, "handlers", handlers)
    _set(node, "orelse", build.otherwise(cst.Else, source.orelse))
    _set(node, "finalbody", build.otherwise(cst.Finally, source.finalbody))


def _match(build: _Builder, source: ast.Match, node: cst.CSTNode) -> None:
    _set(node, "subject", build.node(source.subject))
    cases = []
    for one in source.cases:
        pattern, guard = build.node(one.pattern), build.node(one.guard)
        body = build.block(one.body, one.pattern)
        cases.append(build.make(cst.MatchCase, one.pattern, pattern=pattern, body=body, guard=guard))
    _set(node, "cases", cases)


_COMPOUND = frozenset(
    {
        ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.AsyncFor, ast.While, ast.If,
        ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match,
    }
)  # fmt: skip

_CONSTANTS: dict[type, type[cst.CSTNode]] = {
    str: cst.SimpleString,
    bytes: cst.SimpleString,
    int: cst.Integer,
    float: cst.Float,
    complex: cst.Imaginary,
    type(...): cst.Ellipsis,
}

_FILLERS: dict[type, tuple[type[cst.CSTNode], _Filler]] = {
    ast.Attribute: (cst.Attribute, _attribute),
    ast.Subscript: (cst.Subscript, _subscript),
    ast.Slice: _plain(cst.Slice, lower="lower", upper="upper", step="step"),
    ast.Call: (cst.Call, _call),
    ast.Await: _plain(cst.Await, expression="value"),
    ast.Yield: _plain(cst.Yield, value="value"),
    ast.YieldFrom: (cst.Yield, _yield_from),
    ast.Lambda: (cst.Lambda, _lambda),
    ast.IfExp: _plain(cst.IfExp, test="test", body="body", orelse="orelse"),
    ast.BoolOp: (cst.BooleanOperation, _boolean),
    ast.BinOp: _plain(cst.BinaryOperation, left="left", right="right"),
    ast.UnaryOp: _plain(cst.UnaryOperation, expression="operand"),
    ast.Compare: (cst.Comparison, _comparison),
    ast.NamedExpr: _plain(cst.NamedExpr, value="value", target="target"),
    ast.List: (cst.List, _elements),
    ast.Tuple: (cst.Tuple, _elements),
    ast.Set: (cst.Set, _elements),
    ast.Starred: _plain(cst.StarredElement, value="value"),
    ast.Dict: (cst.Dict, _dict),
    ast.ListComp: (cst.ListComp, _generator),
    ast.SetComp: (cst.SetComp, _generator),
    ast.GeneratorExp: (cst.GeneratorExp, _generator),
    ast.DictComp: (cst.DictComp, _dict_comprehension),
    ast.JoinedStr: (cst.FormattedString, _formatted),
    ast.FormattedValue: (cst.FormattedStringExpression, _replacement),
    ast.FunctionDef: (cst.FunctionDef, _function),
    ast.AsyncFunctionDef: (cst.FunctionDef, _function),
    ast.ClassDef: (cst.ClassDef, _class),
    ast.Expr: _plain(cst.Expr, value="value"),
    ast.Return: _plain(cst.Return, value="value"),
    ast.Assign: (cst.Assign, _assign),
    ast.AugAssign: _plain(cst.AugAssign, target="target", value="value"),
    ast.AnnAssign: (cst.AnnAssign, _annotated),
    ast.Raise: _plain(cst.Raise, exc="exc", cause="cause"),
    ast.Assert: _plain(cst.Assert, test="test", msg="msg"),
    ast.Delete: (cst.Del, _delete),
    ast.Global: (cst.Global, _outer),
    ast.Nonlocal: (cst.Nonlocal, _outer),
    ast.Import: (cst.Import, _import),
    ast.ImportFrom: (cst.ImportFrom, _import_from),
    ast.For: (cst.For, _loop),
    ast.AsyncFor: (cst.For, _loop),
    ast.While: (cst.While, _loop),
    ast.If: (cst.If, _if),
    ast.With: (cst.With, _with),
    ast.AsyncWith: (cst.With, _with),
    ast.Try: (cst.Try, _try),
    ast.TryStar: (cst.TryStar, _try),
    ast.Match: (cst.Match, _match),
}
for _kind, _filler in (
    ("TemplateStr", (cst.FormattedString, _formatted)),
    ("Interpolation", (cst.FormattedStringExpression, _replacement)),
):
    if hasattr(ast, _kind):  # Python 3.14 and later
        _FILLERS[getattr(ast, _kind)] = _filler
