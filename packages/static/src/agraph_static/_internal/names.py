"""The names that a module binds: what a fix can use by name, and what it has to stay away from."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.tree import children, dotted

if TYPE_CHECKING:
    from agraph_static._internal.semantics import Module


class Names:
    """The names of one module.

    Attributes:
        imports: Local name -> dotted name, of the imports that run whenever the module does: those at its
            top and in its `try`, not those in functions, classes and branches.
        others: Names that something else binds, anywhere.
    """

    def __init__(self, module: Module) -> None:
        """Collect them.

        Args:
            module: The indexed module.
        """
        self.imports: dict[str, str] = {}
        self.others: set[str] = set()
        for function in module.functions:
            self.others.update(function.bindings)
        stack: list[tuple[cst.CSTNode, bool]] = [(module.tree, True)]
        while stack:
            node, runs = stack.pop()
            if isinstance(node, (cst.Import, cst.ImportFrom)):
                self._import(node, runs=runs)
            else:
                inside = runs and type(node) in _RUNNING
                stack.extend(
                    (one, inside) for one in reversed(children(node)) if _holds_statements(type(one))
                )

    def _import(self, node: cst.Import | cst.ImportFrom, *, runs: bool) -> None:
        if isinstance(node.names, cst.ImportStar):
            return
        base = ""
        if isinstance(node, cst.ImportFrom):
            base = "." * len(node.relative) + dotted(node.module) + "."
        for alias in node.names:
            full = base + dotted(alias.name)
            local = alias.evaluated_alias
            if local is None and not base:
                local = full = full.partition(".")[0]
            local = local or dotted(alias.name)
            if runs and self.imports.get(local, full) == full:
                self.imports[local] = full
            else:
                self.others.add(local)

    def local(self, dotted_name: str) -> str | None:
        """What an imported module or function is called everywhere in this one; None without such a name."""
        for name, full in self.imports.items():
            if full == dotted_name and name not in self.others:
                return name
        return None

    def is_free(self, name: str) -> bool:
        """Whether nothing in the module is called so."""
        return name not in self.imports and name not in self.others


_PARTS = (cst.Else, cst.Finally, cst.ExceptHandler, cst.ExceptStarHandler, cst.MatchCase)
_RUNNING = frozenset(
    {
        cst.Module,
        cst.SimpleStatementLine,
        cst.Try,
        cst.TryStar,
        cst.IndentedBlock,
        cst.Else,
        cst.Finally,
        cst.ExceptHandler,
    }
)


@cache
def _holds_statements(kind: type) -> bool:
    """Whether imports can stand in a kind of node, or whether it is one."""
    return issubclass(
        kind,
        (
            cst.Import, cst.ImportFrom, cst.SimpleStatementLine, cst.BaseCompoundStatement, cst.BaseSuite,
            *_PARTS,
        ),
    )  # fmt: skip
