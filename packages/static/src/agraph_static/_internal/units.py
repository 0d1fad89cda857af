"""The functions of a file as text: which of them do something, or name one that does.

A function's text is searched for byte strings, which is many times faster than to walk its nodes.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agraph_static._internal.nodes import code_of, defaults, last_name, mentioned

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDS = 2
"""How many calls away from a callback or a task's body a completion is followed, as in the rules."""


def any_in(keys: Iterable[bytes], data: bytes) -> bool:
    for key in keys:  # noqa: SIM110 - a generator costs more than the search
        if key in data:
            return True
    return False


def present(keys: Iterable[bytes], data: bytes) -> tuple[bytes, ...]:
    """The keys that a file holds: only these need to be looked for in its functions."""
    return tuple(key for key in keys if key in data)


@dataclass(slots=True)
class Unit:
    """One function: its name and the bytes of its lines, nested functions included."""

    name: bytes
    is_async: bool
    text: bytes
    node: ast.AST
    _names: frozenset[bytes] | None = None
    _called: frozenset[bytes] | None = None

    @property
    def names(self) -> frozenset[bytes]:
        """The names in it that can be functions of the file, as the rules follow them.

        Those are plain names, attributes of `self`, `cls`, `super()` and of classes, and attributes of
        others when they are of more than one word, or private.
        """
        if self._names is None:
            found = set()
            found.update(_PRIVATE.findall(self.text))
            for head, attribute in _PATHS.findall(self.text):
                found.add(head)
                own = head in _OWN or head[:1].isupper()
                if attribute and (own or b"_" in attribute.strip(b"_")):
                    found.add(attribute)
            self._names = frozenset(found)
        return self._names

    @property
    def called(self) -> frozenset[bytes]:
        """The names of what it calls itself, and of what its parameters stand for if nothing is given.

        Functions in it are units of their own, lambdas are not.
        """
        if self._called is None:
            found = {name for one in defaults(self.node) for name in mentioned(one)}
            for one, own in code_of(self.node, lambdas=True):
                if own and isinstance(one, ast.Call):
                    found.add(last_name(one.func))
            self._called = frozenset(name.encode() for name in found)
        return self._called

    def calls_any(self, names: set[bytes] | frozenset[bytes]) -> bool:
        """Whether it runs one of the functions, or may hand one to the loop to be run."""
        if not self.names_any(names):
            return False
        return _HANDS_ON in self.text or not names.isdisjoint(self.called)

    def names_any(self, names: set[bytes] | frozenset[bytes]) -> bool:
        """Whether it names one of the functions. The names are looked for as plain text first."""
        return any(map(self.text.__contains__, names)) and not names.isdisjoint(self.names)


_PATHS = re.compile(rb"(?<![\w.])(?<!def )([A-Za-z_]\w*)(?:\(\))?(?:\s*\.\s*(\w+))?")
_PRIVATE = re.compile(rb"\.\s*(_\w+)")
_OWN = frozenset({b"self", b"cls", b"super"})
_HANDS_ON = b"call_soon"


def units(tree: ast.Module, data: bytes) -> list[Unit]:
    """Every function of a file. Statements outside functions are one more, without a name.

    Args:
        tree: The standard parser's tree of the file.
        data: The file in UTF-8, as parsed.
    """
    lines = data.splitlines(keepends=True) if b"\f" not in data and b"\x0b" not in data else data.split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = [Unit(b"", is_async=False, text=b"", node=tree)]
    outside: list[bytes] = []
    stack: list[tuple[ast.stmt, bool]] = [(node, False) for node in reversed(tree.body)]
    while stack:
        node, inside = stack.pop()
        text = data[starts[node.lineno - 1] : starts[min(node.end_lineno or node.lineno, len(lines))]]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append(Unit(node.name.encode(), isinstance(node, ast.AsyncFunctionDef), text, node))
            if b"def " in text[text.find(b":") :]:
                stack.extend((one, True) for one in _statements(node) if isinstance(one, _COMPOUND))
        elif isinstance(node, _COMPOUND):
            stack.extend(
                (one, inside) for one in _statements(node) if inside is False or isinstance(one, _COMPOUND)
            )
        elif not inside:
            outside.append(text)
    found[0].text = b"".join(outside)
    return found


_COMPOUND = (
    ast.ClassDef,
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.TryStar,
    ast.Match,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
)


def _statements(node: ast.stmt) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for name in ("body", "orelse", "finalbody"):
        found.extend(getattr(node, name, ()))
    for name in ("handlers", "cases"):
        for part in getattr(node, name, ()):
            found.extend(part.body)
    return found


@dataclass(slots=True)
class Closure:
    """What does something directly, and the names of the functions that do, also through others."""

    direct: tuple[bytes, ...]
    names: frozenset[bytes]

    def reaches(self, unit: Unit) -> bool:
        """Whether a function does it, or names one that does."""
        return any_in(self.direct, unit.text) or unit.names_any(self.names)


def closure(found: list[Unit], data: bytes, direct: tuple[bytes, ...], rounds: int = ROUNDS) -> Closure:
    direct = present(direct, data)
    names = {unit.name for unit in found if unit.name and any_in(direct, unit.text)}
    return Closure(direct, frozenset(reach(found, names, rounds)))


def reach(found: list[Unit], names: set[bytes], rounds: int) -> set[bytes]:
    """The names, and those of the functions that call them, so many calls away."""
    names = set(names)
    for _ in range(rounds if names else 0):
        grown = {one.name for one in found if one.name and one.name not in names and one.calls_any(names)}
        if not grown:
            break
        names |= grown
    return names
