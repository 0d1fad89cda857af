"""What the source of a function says it has acquired, and not released, where it stands.

It is text order, not control flow: what comes last before the place counts, except what stands in a branch
that does not lead there, or in one that may not have been taken. So what is found here is probable, never
certain.
"""

from __future__ import annotations

import ast
import types
from typing import NamedTuple

from agraph._internal.source_events import (
    ACQUIRING,
    Body,
    Event,
    Position,
    Suite,
    body_of,
    first_of,
    last_of,
    parts_of,
)
from agraph._internal.withs import mentions_release

_END: Position = (1 << 30, 0)
_RETURNED = -100  # in place of an instruction: the function has returned


class Released(NamedTuple):
    """Something of which a function may have called `release`.

    Attributes:
        expression: What it is.
        several: Whether it was one thing after the other: the variable of a loop, an item by a variable.
    """

    expression: ast.expr
    several: bool


class Acquired(NamedTuple):
    """Something that a function has acquired by `await X.acquire()`.

    Attributes:
        expression: The X.
        line: The line.
        members: What X comes from, where it is the variable of a `for` loop around that line: each of them
            was acquired.
        inside: Whether that loop still goes on: then those before the present one were.
        released: What was released since, by another name: it may be the same.
        called: What was called since, and may have released it.
    """

    expression: ast.expr
    line: int
    members: ast.expr | None = None
    inside: bool = False
    released: tuple[Released, ...] = ()
    called: tuple[ast.expr, ...] = ()


class Sources:
    """Reads each function once; for the time of one capture."""

    def __init__(self) -> None:
        self._bodies: dict[int, Body] = {}
        self._acquired: dict[tuple[int, int], list[Acquired]] = {}
        self._released: dict[tuple[int, int, int], list[Released] | None] = {}
        self._called: dict[tuple[int, int, int], list[ast.expr] | None] = {}
        self._codes: list[types.CodeType] = []  # keeps the identities above valid

    def acquired(self, code: types.CodeType, lasti: int) -> list[Acquired]:
        """What a function has acquired where it is suspended.

        Args:
            code: Its code.
            lasti: `f_lasti` of its frame.

        Returns:
            What it has acquired; nothing where the source cannot be read, or is not that of the code.
        """
        if ACQUIRING.isdisjoint(code.co_names):
            return []
        known = self._acquired.get((id(code), lasti))
        if known is None:
            position = _position(code, lasti)
            known = [] if position is None else _open_at(self._of(code), position)
            self._acquired[id(code), lasti] = known
        return known

    def acquired_by_calling(self, function: object) -> list[Acquired]:
        """What a function has acquired when it has returned; nothing when it is no function of Python."""
        if type(function) is not types.FunctionType or ACQUIRING.isdisjoint(function.__code__.co_names):
            return []
        code = function.__code__
        known = self._acquired.get((id(code), _RETURNED))
        if known is None:
            known = self._acquired[id(code), _RETURNED] = _open_at(self._of(code), _END)
        return known

    def released(self, code: types.CodeType, lasti: int, line: int = 0) -> list[Released] | None:
        """What a function may have released on the way to where it is suspended.

        Args:
            code: Its code.
            lasti: `f_lasti` of its frame.
            line: That of a `with` around this place, to ask only for what was released inside of it.

        Returns:
            What it may have released; None where it has, as far as its names tell, but its source cannot be
            read.
        """
        if not mentions_release(code):
            return []
        key = id(code), lasti, line
        if key not in self._released:
            position, body = _position(code, lasti), self._of(code)
            is_known = position is not None and body.is_known
            self._released[key] = _released_at(body, position, line) if is_known and position else None
        return self._released[key]

    def released_by_calling(self, function: types.FunctionType) -> list[Released] | None:
        """What a function may have released when it has returned; None where its source cannot be read."""
        code = function.__code__
        key = id(code), _RETURNED, 0
        if key not in self._released:
            body = self._of(code)
            self._released[key] = _released_at(body, _END, 0) if body.is_known else None
        return self._released[key]

    def called(self, code: types.CodeType, lasti: int, line: int = 0) -> list[ast.expr] | None:
        """What a function has called on the way to where it is suspended; for the arguments see `released`.

        Returns:
            What it has called; None where its source cannot be read.
        """
        key = id(code), lasti, line
        if key not in self._called:
            position, body = _position(code, lasti), self._of(code)
            is_known = position is not None and body.is_known
            events = _on_the_way(body, position, line) if is_known and position else []
            calls = [event.expression for event in events if event.kind == "call"]
            self._called[key] = calls if is_known else None
        return self._called[key]

    def _of(self, code: types.CodeType) -> Body:
        known = self._bodies.get(id(code))
        if known is None:
            known = self._bodies[id(code)] = body_of(code)
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


class _Way:
    """The way through a function to a position in it, as far as its text says it."""

    def __init__(self, body: Body, position: Position) -> None:
        self.here = {suite for suite in body.suites if suite.has(position)}
        self._taken = {suite.choice for suite in self.here}
        self._at_end = position == _END
        self._returns = body.returns
        # Of each `try` in one of whose handlers this is, or in what it does at last.
        self._failed = {choice[:2] for choice in self._taken if choice[2] in ("handlers", "finalbody")}

    def leads_past(self, event: Event) -> bool:
        """Whether an event does not stand in a branch that leads elsewhere."""
        loop: Suite | None = None
        for suite in event.path:
            if suite not in self.here:
                if suite.choice in self._taken or suite.leaves == "error":
                    return False
                if suite.leaves == "function" and not self._at_end:
                    return False
                if suite.leaves == "loop" and loop in self.here:
                    return False
            if suite.loops:
                loop = suite
        return True

    def surely_leads_past(self, event: Event, loop: ast.For | None = None) -> bool:
        """Whether it cannot have missed an event, or failed at it; nor in any round of a loop."""
        if event.maybe or (self._at_end and any(place < event.first for place in self._returns)):
            return False
        body = None if loop is None else (*first_of(loop), "body")
        return all(suite in self.here or suite.choice == body or self._ended(suite) for suite in event.path)

    def _ended(self, suite: Suite) -> bool:
        """Whether all of a suite was executed: of a `try` where its `else` is, not where a handler is."""
        line, column, part = suite.choice
        if part == "try":
            if (line, column) in self._failed:
                return False
            return suite.sure or (line, column, "orelse") in self._taken
        return suite.sure


def _open_at(body: Body, position: Position) -> list[Acquired]:
    """What was acquired last, and neither released nor assigned anew, on the way to a position."""
    way = _Way(body, position)
    events = [event for event in body.events if event.last <= position and way.leads_past(event)]
    mentioned = {event.text for event in events if event.kind == "mention"}
    found: dict[str, int] = {}
    for index, event in enumerate(events):
        if event.kind == "acquire":
            if event.text not in mentioned and body.unstable.isdisjoint(parts_of(event.expression)):
                found[event.text] = index
        elif event.kind == "release":
            found.pop(event.text, None)
        elif event.kind == "assign":
            kept = (text for text, at in found.items() if event.text not in parts_of(events[at].expression))
            found = {text: found[text] for text in kept}
    acquired = []
    for index in found.values():
        event = events[index]
        loop = _loop_of(body, event)
        ended = loop is not None and position > last_of(loop)
        if (not ended or _takes_all(loop)) and way.surely_leads_past(event, loop if ended else None):
            one = Acquired(event.expression, event.last[0], loop.iter if loop and ended else None)
            acquired.append(_with_doubts(one, events, index, _varying(body)))
    return acquired + _before(body, position)


def _with_doubts(one: Acquired, events: list[Event], index: int, varying: set[str]) -> Acquired:
    """Something acquired, and what since then may have released it."""
    since = [event for at, event in enumerate(events) if at > index or event.kind == "mention"]
    text = events[index].text
    released = tuple(
        Released(event.expression, _is_one_of_several(event.expression, varying))
        for event in since
        if event.kind in ("release", "mention") and (event.text != text or one.members is not None)
    )
    return one._replace(released=released, called=tuple(e.expression for e in since if e.kind == "call"))


def _before(body: Body, position: Position) -> list[Acquired]:
    """What the loops around a position have acquired in earlier rounds."""
    found: list[Acquired] = []
    for loop in body.loops:
        start, end = first_of(loop.body[0]), last_of(loop.body[-1])
        if start <= position <= end and _takes_all(loop):
            inside = [event for event in body.events if start <= event.first <= end]
            about = [event for event in inside if event.kind in _OF_LOCKS and _is_about(event, loop)]
            if all(event.kind == "acquire" and _is_in_every_round(event, loop) for event in about):
                for one in about:
                    acquired = Acquired(one.expression, one.last[0], loop.iter, inside=True)
                    others = [event for event in inside if event is not one]
                    found.append(_with_doubts(acquired, [one, *others], 0, _varying(body)))
    return found


_OF_LOCKS = ("acquire", "release", "mention")


def _is_in_every_round(event: Event, loop: ast.For) -> bool:
    """Whether an event happens in every round of a loop."""
    start = (*first_of(loop), "body")
    choices = [suite.choice for suite in event.path]
    inside = event.path[choices.index(start) + 1 :] if start in choices else event.path
    return not event.maybe and all(suite.sure for suite in inside)


def _takes_all(loop: ast.For | None) -> bool:
    """Whether a loop goes through all that it is over."""
    if loop is None:
        return True
    nodes = [node for statement in loop.body for node in ast.walk(statement)]
    return not any(isinstance(node, (ast.Break, ast.Continue)) for node in nodes)


def _loop_of(body: Body, event: Event) -> ast.For | None:
    """The loop that an event stands in whose variable it is about."""
    return next((loop for loop in body.loops if _is_about(event, loop)), None)


def _is_about(event: Event, loop: ast.For) -> bool:
    inside = first_of(loop.body[0]) <= event.first <= last_of(loop.body[-1])
    return inside and isinstance(loop.target, ast.Name) and root_of(event.expression) == loop.target.id


def _varying(body: Body) -> set[str]:
    """The names that stand for one thing after the other."""
    return {node.id for loop in body.loops for node in ast.walk(loop.target) if isinstance(node, ast.Name)}


def _is_one_of_several(expression: ast.expr, varying: set[str]) -> bool:
    keys = (node.slice for node in ast.walk(expression) if isinstance(node, ast.Subscript))
    return root_of(expression) in varying or any(not isinstance(key, ast.Constant) for key in keys)


def _released_at(body: Body, position: Position, line: int) -> list[Released]:
    """What was released on the way to a position, inside of the `with` of a line if there is one."""
    varying = _varying(body)
    assigned = [(event.text, event.path) for event in body.events if event.kind == "assign"]
    found = []
    for event in _on_the_way(body, position, line):
        if event.kind not in ("release", "mention"):
            continue
        # A name that is assigned more than once, or in a loop, may have meant something else.
        parts = parts_of(event.expression) | body.unstable
        places = [path for text, path in assigned if text in parts]
        moves = len(places) > 1 or any(suite.loops for path in places for suite in path)
        found.append(Released(event.expression, moves or _is_one_of_several(event.expression, varying)))
    return found


def _on_the_way(body: Body, position: Position, line: int) -> list[Event]:
    """What a function may have done on the way to a position; inside of the `with` of a line, if any."""
    way = _Way(body, position)
    is_known = any(suite.choice[0] == line for suite in way.here)
    return [
        event
        for event in body.events
        if event.first <= position
        and way.leads_past(event)
        and (not is_known or any(suite.choice[0] == line for suite in event.path))
    ]


def root_of(expression: ast.expr) -> str:
    """The variable at the start of `a.b[c]`; empty for anything else."""
    while isinstance(expression, (ast.Attribute, ast.Subscript)):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else ""
