"""Reads a function: where it acquires, releases, assigns and calls, in the order of its text."""

from __future__ import annotations

import ast
import linecache
import types
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Position = tuple[int, int]
# Where a statement begins, and which of its parts: equal for those of which one is executed.
Choice = tuple[int, int, str]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_LONGEST = 2_000  # lines of a function; a longer one is not read
# A manager of the application may enter a lock that way.
ACQUIRING = frozenset({"acquire", "__aenter__"})
_RELEASING = frozenset({"release", "__aexit__"})
# Calls that return although what is acquired in their arguments is not.
_UNSURE_CALLS = frozenset({"wait", "as_completed"})
# Managers that end an error, so that what comes after their block follows a failure as well.
_SUPPRESSING = frozenset({"suppress", "move_on_after", "move_on_at"})


class Suite(NamedTuple):
    """Statements that are executed one after the other: a branch, the body of a loop, a handler.

    Attributes:
        choice: Equal for those of which one is executed: the branches of an `if`.
        first: Where it begins.
        last: Where it ends.
        leaves: How it ends: "function" (return), "error" (raise), "loop" (break, continue) or "".
        loops: Whether it is the body of a loop.
        sure: Whether all of it was executed where what follows its statement is.
    """

    choice: Choice
    first: Position
    last: Position
    leaves: str
    loops: bool
    sure: bool

    def has(self, position: Position) -> bool:
        """Whether a position is in it."""
        return self.first <= position <= self.last


class Event(NamedTuple):
    """Something that a function does.

    Attributes:
        kind: "acquire" and "release" for `await X.acquire()` and `X.release()`, "mention" for an `X.release`
            that is not called or stands in a function inside, "call" for a call of X, "assign".
        text: X; for an assignment what it gives a meaning to, as `parts_of` says it.
        expression: X.
        first: Where it begins.
        last: Where it ends.
        path: The suites around it, outermost first.
        maybe: Whether it is a part of an expression that is not always evaluated.
    """

    kind: str
    text: str
    expression: ast.expr
    first: Position
    last: Position
    path: tuple[Suite, ...]
    maybe: bool = False


class Body(NamedTuple):
    """What matters of a function.

    Attributes:
        events: What it does, in the order of its text.
        suites: Its suites.
        loops: Its `for` loops.
        returns: Where its `return` statements end.
        unstable: The names that functions inside of it assign.
        is_known: Whether its source could be read.
    """

    events: list[Event]
    suites: list[Suite]
    loops: list[ast.For]
    returns: list[Position]
    unstable: set[str]
    is_known: bool = True


def parts_of(expression: ast.AST) -> frozenset[str]:
    """By the assignment of what an expression may come to mean something else: `a`, `.b` and `a.b[]`."""
    found: set[str] = set()
    for node in ast.walk(expression):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(f".{node.attr}")
        elif isinstance(node, ast.Subscript):
            found.add(f"{ast.unparse(node.value)}[]")
    return frozenset(found)


# ---- from the code to its source


def body_of(code: types.CodeType) -> Body:
    """What matters of a function; empty when its source is missing, or is not what was compiled."""
    positions = list(_positions(code))
    function = _parsed(code, max((end for _line, end, *_columns in positions if end), default=0))
    if function is None:
        return _unknown()
    body = _read(function)
    # Every call must end where some instruction says that it ends; without columns (-X no_debug_ranges) the
    # line has to do.
    ends = {(end, column) for _line, end, _column, column in positions}
    lines = {line for line, *_rest in positions}
    has_columns = any(column is not None for _end, column in ends)
    for event in body.events:
        if event.kind in ("acquire", "release"):
            is_there = event.last in ends if has_columns else event.last[0] in lines
            if not is_there:
                return _unknown()
    return body


def _unknown() -> Body:
    return Body([], [], [], [], set(), is_known=False)


def _positions(code: types.CodeType) -> Iterator[tuple[int | None, int | None, int | None, int | None]]:
    """The positions of the instructions of a function, and of the functions inside of it."""
    ahead = [code]
    while ahead:
        current = ahead.pop()
        yield from current.co_positions()
        ahead += (constant for constant in current.co_consts if type(constant) is types.CodeType)


def _parsed(code: types.CodeType, last: int) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The syntax tree of a function, with the line numbers of its file."""
    lines = _lines_of(code.co_filename)
    first = code.co_firstlineno
    last = max(last, first)
    if not 0 < last <= len(lines) or last - first > _LONGEST:
        return None
    indent = _indent(lines[first - 1])
    while last < len(lines) and (not lines[last].strip() or _indent(lines[last]) > indent):
        last += 1  # what makes no instruction, such as `pass`, is still part of it
    text = "".join(lines[first - 1 : last])
    try:
        tree = ast.parse(f"if 1:\n{text}" if indent else f"\n{text}")
    except (SyntaxError, ValueError):
        return None
    ast.increment_lineno(tree, first - 2)
    statement = tree.body[0] if tree.body else None
    if isinstance(statement, ast.If):
        statement = statement.body[0]
    if isinstance(statement, _FUNCTIONS) and statement.name == code.co_name:
        return statement
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _lines_of(file: str) -> list[str]:
    """The lines of a file as they are now; none when only a loader of the application could say them."""
    if len(linecache.cache.get(file, ())) == 1:  # registered by `linecache.lazycache`
        return []
    linecache.checkcache(file)
    return linecache.getlines(file)


# ---- events


class _Ahead(NamedTuple):
    """A node yet to be read, with what is known from the nodes around it."""

    node: ast.AST
    path: tuple[Suite, ...] = ()
    awaited: bool = False
    one_of: Choice | None = None
    maybe: bool = False
    inner: bool = False  # in a function or comprehension inside
    called: bool = False  # what is called


def _read(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Body:
    """All events of a function in the order of its text; of functions inside of it what they release."""
    body = Body([], [], [], [], set())
    ahead: list[_Ahead] = [_Ahead(node) for node in function.body]
    while ahead:
        here = ahead.pop()
        node = here.node
        body.events.extend(_events(here))
        if isinstance(node, ast.For) and not here.inner:
            body.loops.append(node)
        elif isinstance(node, ast.Return) and not here.inner:
            body.returns.append(last_of(node))
            # What a function that is no coroutine returns, its caller awaits.
            here = here._replace(awaited=isinstance(function, ast.FunctionDef))
        elif isinstance(node, ast.Nonlocal) and here.inner:
            body.unstable.update(node.names)
        ahead += _inside(here, body)
    body.events.sort(key=lambda event: event.last)
    return body


def _inside(here: _Ahead, body: Body) -> Iterator[_Ahead]:
    """The nodes inside of a node."""
    node = here.node
    if isinstance(node, _SCOPES) and _acquires(node):
        # It releases what it has acquired itself.
        body.unstable.update(
            name for one in ast.walk(node) if isinstance(one, ast.Nonlocal) for name in one.names
        )
        return
    inner = here.inner or isinstance(node, (*_SCOPES, *_COMPREHENSIONS))
    awaited = (here.awaited or isinstance(node, ast.Await)) and not _is_unsure(node)
    suites = {} if inner else _suites(node, here.one_of)
    body.suites.extend(suites.values())
    for name, value in ast.iter_fields(node):
        path = (*here.path, suites[name]) if name in suites else here.path
        one_of = (*first_of(node), name) if name in ("handlers", "cases") else None
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST):
                yield _Ahead(
                    child,
                    path,
                    awaited and not isinstance(child, ast.stmt),
                    one_of,
                    here.maybe or _is_maybe(node, name, index),
                    inner,
                    called=isinstance(node, ast.Call) and name == "func",
                )


def _acquires(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr in ACQUIRING for one in ast.walk(node))


def _is_unsure(node: ast.AST) -> bool:
    """Whether it is a call that returns although not all that it waits for has come true."""
    if not isinstance(node, ast.Call):
        return False
    return _called(node) in _UNSURE_CALLS or any(word.arg == "return_exceptions" for word in node.keywords)


def _called(node: ast.expr) -> str:
    """The last name of what is called."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_maybe(node: ast.AST, field: str, index: int) -> bool:
    """Whether a part of an expression is only evaluated where another part comes out so."""
    if isinstance(node, ast.IfExp):
        return field != "test"
    return isinstance(node, ast.BoolOp) and index > 0


def _events(here: _Ahead) -> Iterator[Event]:
    """What a node does itself."""
    node, path = here.node, here.path
    if isinstance(node, ast.Attribute) and node.attr == "release" and isinstance(node.ctx, ast.Load):
        if here.inner or not here.called:
            yield Event("mention", ast.unparse(node.value), node.value, first_of(node), last_of(node), path)
    elif isinstance(node, ast.Call) and not here.inner:
        kind, target = "call", node.func
        if isinstance(target, ast.Attribute) and target.attr in _RELEASING:
            kind, target = "release", target.value
        elif isinstance(target, ast.Attribute) and target.attr in ACQUIRING and here.awaited:
            kind, target = "acquire", target.value
        yield Event(kind, ast.unparse(target), target, first_of(node), last_of(node), path, here.maybe)
    if not here.inner:
        # Of a statement that holds others only its head is meant.
        end = first_of(node) if isinstance(node, (ast.ExceptHandler, *_SCOPES)) else None
        for text in _assigned(node):
            yield Event("assign", text, ast.Name(text), first_of(node), end or last_of(node), path)


def _assigned(node: ast.AST) -> list[str]:
    """What a node gives another meaning to, as `parts_of` says it."""
    name: str | None = None
    if isinstance(getattr(node, "ctx", None), ast.Load):
        return []
    if isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Attribute):
        name = f".{node.attr}"
    elif isinstance(node, ast.Subscript):
        name = f"{ast.unparse(node.value)}[]"
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar, *_FUNCTIONS, ast.ClassDef)):
        name = node.name
    elif isinstance(node, ast.MatchMapping):
        name = node.rest
    elif isinstance(node, ast.alias):
        name = node.asname or node.name.partition(".")[0]
    return [name] if name else []


def _suites(node: ast.AST, one_of: Choice | None) -> dict[str, Suite]:
    """The suites of a statement by the name of their field."""
    found: dict[str, Suite] = {}
    for name in ("body", "orelse", "finalbody"):
        statements = getattr(node, name, None)
        if isinstance(statements, list) and statements:
            found[name] = Suite(
                one_of or (*first_of(node), _part(node, name)),
                first_of(statements[0]),
                last_of(statements[-1]),
                _leaves(statements),
                isinstance(node, _LOOPS) and name == "body",
                _is_sure(node, name),
            )
    return found


def _part(node: ast.AST, field: str) -> str:
    """How a part of a statement is called in a choice."""
    if isinstance(node, ast.If):
        return "if"
    return "try" if field == "body" and isinstance(node, (ast.Try, ast.TryStar)) else field


def _is_sure(node: ast.AST, part: str) -> bool:
    """Whether a part of a statement was executed where what follows the statement is."""
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return not any(_called(item.context_expr) in _SUPPRESSING for item in node.items)
    if isinstance(node, (ast.Try, ast.TryStar)):
        return part == "finalbody" or all(_leaves(handler.body) for handler in node.handlers)
    if isinstance(node, ast.If):
        return bool(_leaves(node.orelse if part == "body" else node.body))
    return False


def _leaves(statements: list[ast.stmt]) -> str:
    return _LEAVES.get(type(statements[-1]), "") if statements else ""


_LEAVES: dict[type, str] = {
    ast.Return: "function",
    ast.Raise: "error",
    ast.Break: "loop",
    ast.Continue: "loop",
}


def first_of(node: Any) -> Position:  # noqa: ANN401 - a node that has a position
    """Where a node begins."""
    return node.lineno, node.col_offset


def last_of(node: Any) -> Position:  # noqa: ANN401 - a node that has a position
    """Where it ends."""
    return node.end_lineno, node.end_col_offset
