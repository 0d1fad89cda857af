"""What the source of a function says it has acquired, and not released, where it stands.

It is text order, not control flow: what comes last before the place counts, except what stands in a branch
that does not lead there. So what is found here is probable, never certain.
"""

from __future__ import annotations

import ast
import linecache
import types
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Position = tuple[int, int]

_Choice = tuple[int, int, str]

_END: Position = (1 << 30, 0)
_RETURNED = -100  # in place of an instruction: the function has returned
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_LONGEST = 2_000  # lines of a function; a longer one is not read


class Acquired(NamedTuple):
    """Something that a function has acquired by `await X.acquire()`.

    Attributes:
        expression: The X.
        line: The line.
        members: What X comes from, where it is the variable of a `for` loop around that line: each of them
            was acquired.
        inside: Whether that loop still goes on: then those before the present one were.
    """

    expression: ast.expr
    line: int
    members: ast.expr | None = None
    inside: bool = False


class _Suite(NamedTuple):
    """Statements that are executed one after the other: a branch, the body of a loop, a handler."""

    choice: _Choice  # equal for those of which one is executed: the branches of an `if`
    first: Position
    last: Position
    leaves: str  # how it ends: "function" (return), "error" (raise), "loop" (break, continue) or ""
    loops: bool

    def has(self, position: Position) -> bool:
        return self.first <= position <= self.last


class _Event(NamedTuple):
    """`X.acquire()`, `X.release()`, or an assignment of X."""

    kind: str
    text: str
    expression: ast.expr
    first: Position
    last: Position
    path: tuple[_Suite, ...]


class _Body(NamedTuple):
    """What matters of a function."""

    events: list[_Event]
    suites: list[_Suite]
    loops: list[ast.For]

    def loop_of(self, event: _Event) -> ast.For | None:
        """The loop that an event stands in whose variable it is about."""
        return next((loop for loop in self.loops if _is_about(event, loop)), None)


class Sources:
    """Reads each function once; for the time of one capture."""

    def __init__(self) -> None:
        self._bodies: dict[int, _Body] = {}
        self._acquired: dict[tuple[int, int], list[Acquired]] = {}
        self._codes: list[types.CodeType] = []  # keeps the identities above valid

    def acquired(self, code: types.CodeType, lasti: int) -> list[Acquired]:
        """What a function has acquired where it is suspended.

        Args:
            code: Its code.
            lasti: `f_lasti` of its frame.

        Returns:
            What it has acquired; nothing where the source cannot be read, or is not that of the code.
        """
        if "acquire" not in code.co_names:
            return []
        known = self._acquired.get((id(code), lasti))
        if known is None:
            position = _position(code, lasti)
            known = [] if position is None else _open_at(self._of(code), position)
            self._acquired[id(code), lasti] = known
        return known

    def acquired_by_calling(self, function: object) -> list[Acquired]:
        """What a function has acquired when it has returned; nothing when it is no function of Python."""
        if type(function) is not types.FunctionType or "acquire" not in function.__code__.co_names:
            return []
        code = function.__code__
        known = self._acquired.get((id(code), _RETURNED))
        if known is None:
            known = self._acquired[id(code), _RETURNED] = _open_at(self._of(code), _END)
        return known

    def _of(self, code: types.CodeType) -> _Body:
        known = self._bodies.get(id(code))
        if known is None:
            known = self._bodies[id(code)] = _body_of(code)
            self._codes.append(code)
        return known


def _position(code: types.CodeType, lasti: int) -> Position | None:
    """Where the expression begins that is being evaluated."""
    if lasti < 0:
        return None
    for index, (line, _end, column, _end_column) in enumerate(code.co_positions()):
        if index == lasti // 2:
            return None if line is None else (line, column or 0)
    return None


def _open_at(body: _Body, position: Position) -> list[Acquired]:
    """What was acquired last, and neither released nor assigned anew, on the way to a position."""
    here = {suite for suite in body.suites if suite.has(position)}
    taken = {suite.choice for suite in here}
    found: dict[str, _Event] = {}
    for event in body.events:
        if event.last > position or _is_elsewhere(event, here, taken, at_end=position == _END):
            continue
        if event.kind == "acquire":
            found[event.text] = event
        elif event.kind == "release":
            found.pop(event.text, None)
        else:
            found = {text: one for text, one in found.items() if root_of(one.expression) != event.text}
    acquired = []
    for event in found.values():
        loop = body.loop_of(event)
        ended = loop is not None and position > _last(loop)
        acquired.append(Acquired(event.expression, event.last[0], loop.iter if loop and ended else None))
    return acquired + _before(body, position)


def _before(body: _Body, position: Position) -> list[Acquired]:
    """What the loops around a position have acquired in earlier rounds."""
    found = []
    for loop in body.loops:
        if _first(loop.body[0]) <= position <= _last(loop.body[-1]):
            events = [event for event in body.events if event.kind != "assign" and _is_about(event, loop)]
            if {event.kind for event in events} == {"acquire"}:
                found += [Acquired(one.expression, one.last[0], loop.iter, inside=True) for one in events]
    return found


def _is_about(event: _Event, loop: ast.For) -> bool:
    inside = _first(loop.body[0]) <= event.first <= _last(loop.body[-1])
    return inside and isinstance(loop.target, ast.Name) and root_of(event.expression) == loop.target.id


def _is_elsewhere(event: _Event, here: set[_Suite], taken: set[_Choice], *, at_end: bool) -> bool:
    """Whether an event stands in a branch that does not lead to where `here` is."""
    loop: _Suite | None = None
    for suite in event.path:
        if suite not in here:
            if suite.choice in taken or suite.leaves == "error":
                return True
            if suite.leaves == "function" and not at_end:
                return True
            if suite.leaves == "loop" and loop in here:
                return True
        if suite.loops:
            loop = suite
    return False


def root_of(expression: ast.expr) -> str:
    """The variable at the start of `a.b[c]`; empty for anything else."""
    while isinstance(expression, (ast.Attribute, ast.Subscript)):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""


# ---- from the code to its source


def _body_of(code: types.CodeType) -> _Body:
    """What matters of a function; empty when its source is missing, or is not what was compiled."""
    positions = list(_positions(code))
    function = _parsed(code, max((end for _line, end, *_columns in positions if end), default=0))
    if function is None:
        return _Body([], [], [])
    body = _read(function)
    # Every call must end where some instruction says that it ends; without columns (-X no_debug_ranges) the
    # line has to do.
    ends = {(end, column) for _line, end, _column, column in positions}
    lines = {line for line, *_rest in positions}
    has_columns = any(column is not None for _end, column in ends)
    for event in body.events:
        if event.kind != "assign" and not (event.last in ends if has_columns else event.last[0] in lines):
            return _Body([], [], [])
    return body


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
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name == code.co_name:
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
    path: tuple[_Suite, ...] = ()
    awaited: bool = False
    one_of: _Choice | None = None


def _read(function: ast.FunctionDef | ast.AsyncFunctionDef) -> _Body:
    """All events of a function in the order of its text, without those of functions inside of it."""
    body = _Body([], [], [])
    ahead: list[_Ahead] = [_Ahead(node) for node in function.body]
    while ahead:
        node, path, awaited, among = ahead.pop()
        if isinstance(node, _SCOPES):
            continue
        awaited = awaited or isinstance(node, ast.Await)
        event = _event(node, path, awaited=awaited)
        if event is not None:
            body.events.append(event)
        if isinstance(node, ast.For):
            body.loops.append(node)
        suites = _suites(node, among)
        body.suites.extend(suites.values())
        for name, value in ast.iter_fields(node):
            inner = (*path, suites[name]) if name in suites else path
            one_of = (*_first(node), name) if name in ("handlers", "cases") else None
            ahead += (
                _Ahead(child, inner, awaited and not isinstance(child, ast.stmt), one_of)
                for child in (value if isinstance(value, list) else [value])
                if isinstance(child, ast.AST)
            )
    body.events.sort(key=lambda event: event.last)
    return body


def _event(node: ast.AST, path: tuple[_Suite, ...], *, awaited: bool) -> _Event | None:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return _Event("assign", node.id, node, _first(node), _last(node), path)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    kind = node.func.attr
    if kind == "release" or (kind == "acquire" and awaited):
        expression = node.func.value
        return _Event(kind, ast.unparse(expression), expression, _first(node), _last(node), path)
    return None


def _suites(node: ast.AST, one_of: _Choice | None) -> dict[str, _Suite]:
    """The suites of a statement by the name of their field."""
    found: dict[str, _Suite] = {}
    for name in ("body", "orelse", "finalbody"):
        statements = getattr(node, name, None)
        if isinstance(statements, list) and statements:
            found[name] = _Suite(
                one_of or (*_first(node), "if" if isinstance(node, ast.If) else name),
                _first(statements[0]),
                _last(statements[-1]),
                _LEAVES.get(type(statements[-1]), ""),
                isinstance(node, _LOOPS) and name == "body",
            )
    return found


_LEAVES: dict[type, str] = {
    ast.Return: "function",
    ast.Raise: "error",
    ast.Break: "loop",
    ast.Continue: "loop",
}


def _first(node: Any) -> Position:  # noqa: ANN401 - a node that has a position
    return node.lineno, node.col_offset


def _last(node: Any) -> Position:  # noqa: ANN401 - a node that has a position
    return node.end_lineno, node.end_col_offset
