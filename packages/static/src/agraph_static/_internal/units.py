"""The functions of a file as text: which of them do something, or name one that does.

A function's text is searched for byte strings, which is many times faster than to walk its nodes.
"""

from __future__ import annotations

import ast
import bisect
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    start: int
    end: int
    _names: frozenset[bytes] | None = None

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

    def names_any(self, names: set[bytes] | frozenset[bytes]) -> bool:
        """Whether it names one of the functions. The names are looked for as plain text first."""
        return any(map(self.text.__contains__, names)) and not names.isdisjoint(self.names)


_PATHS = re.compile(rb"(?<![\w.])(?<!def )([A-Za-z_]\w*)(?:\(\))?(?:\s*\.\s*(\w+))?")
_PRIVATE = re.compile(rb"\.\s*(_\w+)")
_OWN = frozenset({b"self", b"cls", b"super"})


class Units:
    """The functions of a file, in order. The first stands for the statements outside functions."""

    def __init__(self, tree: ast.Module, data: bytes) -> None:
        """Find them.

        Args:
            tree: The standard parser's tree of the file.
            data: The file in UTF-8, as parsed.
        """
        self.data = data
        self.all: list[Unit] = _units(tree, data)
        self._starts = [unit.start for unit in self.all]
        self._around: list[int] = []  # the function that each stands in; 0 for none
        open_ones = [0]
        for number, unit in enumerate(self.all):
            while len(open_ones) > 1 and self.all[open_ones[-1]].end <= unit.start:
                open_ones.pop()
            self._around.append(open_ones[-1])
            open_ones.append(number)
        self._known: dict[bytes, set[int]] = {}
        self._called: dict[bytes, set[int]] = {}

    def having(self, keys: Iterable[bytes]) -> list[Unit]:
        """The functions whose text holds any of the keys, in order."""
        return [self.all[number] for number in sorted(_looked_up(keys, self._known, self._find))]

    def _find(self, key: bytes) -> set[int]:
        """Look for a key in the file, once for each function that it stands in: in most there is none."""
        found = {0} if key in self.all[0].text else set()
        at = self.data.find(key)
        while at >= 0:
            number, end = self._place(at)
            while number and number not in found:
                found.add(number)
                number = self._around[number]
            at = self.data.find(key, max(at + 1, end))
        return found

    def _place(self, at: int) -> tuple[int, int]:
        """The innermost function around a byte of the file, and how far on it is the innermost, at least."""
        number = bisect.bisect_right(self._starts, at) - 1
        following = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.data)
        while number and self.all[number].end <= at:
            number = self._around[number]
        return number, min(following, self.all[number].end) if number else following

    def callers(self, names: Iterable[bytes]) -> set[bytes]:
        """The names of the functions that call one of some functions, or may hand one on to be called."""
        return {self.all[number].name for number in _looked_up(names, self._called, self._calling)}

    def _calling(self, name: bytes) -> set[int]:
        found: set[int] = set()
        at = self.data.find(name)
        while at >= 0:
            number, end = self._place(at)
            following = max(at + 1, end)
            if number and number not in found:
                if self._is_run(at, at + len(name), self.all[number]):
                    found.add(number)
                else:
                    following = at + 1
            at = self.data.find(name, following)
        return found

    def _is_run(self, start: int, end: int, unit: Unit) -> bool:
        """Whether what stands at a place may be a function of the file that is called, now or soon."""
        data = self.data
        if data[end : end + 1] in _WORD or data[start - 1 : start] in _WORD:
            return False
        before = data[max(0, start - _BEFORE) : start].rstrip()
        if before.endswith(b".") and not _is_own(before, data[start:end]):
            return False
        return (
            data[end : end + _BEFORE].lstrip()[:1] == b"("
            or before.endswith(b"=")
            or b"call_soon" in unit.text
        )


def _looked_up(
    keys: Iterable[bytes], known: dict[bytes, set[int]], look: Callable[[bytes], set[int]]
) -> set[int]:
    """What is known of any of the keys; each is looked for once."""
    found: set[int] = set()
    for key in keys:
        numbers = known.get(key)
        if numbers is None:
            numbers = known[key] = look(key)
        found |= numbers
    return found


def _is_own(before: bytes, name: bytes) -> bool:
    """Whether an attribute can be a method of this file, as the rules look it up."""
    if b"_" in name.strip(b"_") or name.startswith(b"_"):
        return True
    head = _HEAD.search(before)
    return head is None or head[1] in _OWN or head[1][:1].isupper()


_BEFORE = 100
"""How far around a name it is looked for what makes it a call."""

_HEAD = re.compile(rb"(?<![\w.])([A-Za-z_]\w*)(?:\(\))?\s*\.\Z")
_WORD = frozenset(bytes([one]) for one in range(256) if one > 127 or chr(one).isalnum() or chr(one) == "_")


def _units(tree: ast.Module, data: bytes) -> list[Unit]:
    lines = data.splitlines(keepends=True) if b"\f" not in data and b"\x0b" not in data else data.split(b"\n")
    starts = [0, *itertools.accumulate(map(len, lines))]
    found: list[Unit] = []
    outside: list[bytes] = []
    stack: list[tuple[ast.stmt, bool]] = [(node, False) for node in reversed(tree.body)]
    while stack:
        node, inside = stack.pop()
        start, end = starts[node.lineno - 1], starts[min(node.end_lineno or node.lineno, len(lines))]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            text = data[start:end]
            is_async = isinstance(node, ast.AsyncFunctionDef)
            found.append(Unit(node.name.encode(), is_async, text, node, start, end))
            if b"def " in text[text.find(b":") :]:
                stack.extend((one, True) for one in _statements(node) if isinstance(one, _COMPOUND))
        elif isinstance(node, _COMPOUND):
            stack.extend(
                (one, inside) for one in _statements(node) if inside is False or isinstance(one, _COMPOUND)
            )
        elif not inside:
            outside.append(data[start:end])
    found.sort(key=lambda unit: unit.start)
    return [Unit(b"", is_async=False, text=b"".join(outside), node=tree, start=-1, end=-1), *found]


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


def closure(found: Units, direct: tuple[bytes, ...], rounds: int = ROUNDS) -> Closure:
    names = {unit.name for unit in found.having(direct) if unit.name}
    return Closure(present(direct, found.data), frozenset(reach(found, names, rounds)))


def reach(found: Units, names: set[bytes], rounds: int) -> set[bytes]:
    """The names, and those of the functions that call them, so many calls away."""
    names = set(names)
    new = names
    for _ in range(rounds):
        new = found.callers(new) - names
        names |= new
    return names
