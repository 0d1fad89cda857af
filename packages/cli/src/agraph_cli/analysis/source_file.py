"""What the static rules say of one file, and which of it a frame of a process belongs to."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph import Site
    from agraph_static import Finding, Span

_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class Function(NamedTuple):
    """The lines of a function with its decorators, both included, and its name as in `Finding.function`."""

    name: str
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file.

    Attributes:
        findings: What the rules found.
        functions: Its functions, an inner one after the one around it.
    """

    findings: tuple[Finding, ...]
    functions: tuple[Function, ...]

    def stands_on(self, site: Site, finding: Finding, *, but: str = "") -> bool:
        """Whether a frame stands on one of the lines that a finding is about, in the same function.

        Args:
            site: The frame, of this file.
            finding: The finding.
            but: The message of a related place that does not count.

        Returns:
            Whether it does.
        """
        return any(
            span.line <= site.line <= span.end_line and _is_called(site, self._function_at(span.line))
            for span in places(finding, but=but)
        )

    def is_in(self, site: Site, finding: Finding) -> bool:
        """Whether a frame is of the function that a finding is in."""
        return bool(finding.function) and _is_called(site, finding.function)

    def completes(self, callback: Site, finding: Finding) -> bool:
        """Whether a finding is about a done-callback, which may be a closure of its function."""
        inside = bool(finding.function) and _name(callback).startswith(f"{finding.function}.")
        return inside or self.runs_through(callback, finding)

    def runs_through(self, site: Site, finding: Finding) -> bool:
        """Whether the function of a frame has one of the lines that a finding is about."""
        here = [one for one in self.functions if one.line <= site.line <= one.end_line]
        inner = next((one for one in reversed(here) if _is_called(site, one.name)), None)
        return inner is not None and any(
            inner.line <= span.line <= inner.end_line for span in places(finding)
        )

    def _function_at(self, line: int) -> str:
        around = (one.name for one in reversed(self.functions) if one.line <= line <= one.end_line)
        return next((name for name in around if not name.endswith("<lambda>")), "")


def places(finding: Finding, *, but: str = "") -> Iterator[Span]:
    """The places in its own file that a finding is about.

    Args:
        finding: The finding.
        but: The message of a related place to leave out.

    Yields:
        Its own place first.
    """
    yield finding.span
    for one in finding.related:
        if one.path == finding.path and not (but and one.message == but):
            yield one.span


def _name(site: Site) -> str:
    """The function of a frame as `Finding.function` has it: `Pool.take.<locals>.done` is `Pool.take.done`."""
    return site.function.replace(".<locals>", "")


def _is_called(site: Site, function: str) -> bool:
    # A comprehension or lambda is told by its outer function too. Some ways to read a process from outside
    # know only the last part of the name.
    name = _name(site)
    if "." not in name and function.rpartition(".")[2] == name:
        return True
    return name == function or name.startswith(f"{function}.<")


def functions_of(path: str) -> tuple[Function, ...]:
    """The functions of a file.

    Args:
        path: The file.

    Returns:
        Each with its lines; an inner one comes after the one around it. Nothing if the file cannot be read or
        does not parse.
    """
    try:
        with open(path, "rb") as file, warnings.catch_warnings():  # noqa: PTH123
            warnings.simplefilter("ignore")  # invalid escapes in foreign code
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    found = []
    work: list[tuple[ast.AST, str]] = [(tree, "")]
    while work:
        node, prefix = work.pop()
        if isinstance(node, _DEFINES):
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            decorators = () if isinstance(node, ast.Lambda) else node.decorator_list
            first = min([node.lineno, *(one.lineno for one in decorators)])
            prefix = f"{prefix}.{name}" if prefix else name
            if not isinstance(node, ast.ClassDef):
                found.append(Function(prefix, first, node.end_lineno or node.lineno))
        work += [(child, prefix) for child in ast.iter_child_nodes(node)]
    return tuple(sorted(found, key=lambda one: (one.line, -one.end_line)))
