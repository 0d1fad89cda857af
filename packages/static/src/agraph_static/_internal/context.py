"""What a rule is given: the model of one module, and a way to write findings."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal.flow import Flow, Place
from agraph_static._internal.model import Confidence, Edit, Finding, Fix, Related
from agraph_static._internal.origins import Origins
from agraph_static._internal.resolutions import Resolver
from agraph_static._internal.semantics import Module
from agraph_static._internal.tree import parse_module

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agraph_static._internal.bridges import Bridge
    from agraph_static._internal.config import LintConfig
    from agraph_static._internal.edges import Edges
    from agraph_static._internal.flights import Flight
    from agraph_static._internal.locks import Locks
    from agraph_static._internal.names import Names
    from agraph_static._internal.scopes import Function
    from agraph_static._internal.skeleton_positions import SkeletonPositions
    from agraph_static.rules._base import Rule


_STEP = re.compile(r"\[\w*\]")


class Context:
    """One module under the rules. The parts are computed when first asked for."""

    def __init__(
        self,
        text: str,
        path: str,
        config: LintConfig,
        skeleton: tuple[cst.Module, SkeletonPositions] | None = None,
    ) -> None:
        """Parse and index a module.

        Args:
            text: The source; it must parse.
            path: The file as given.
            config: The configuration; its `extra_wrappers` are names the model then knows.
            skeleton: Look at this instead of a tree that libcst parses; fixes are then drafts.

        Raises:
            UnreadableError: libcst cannot parse it.
        """
        self.path = path
        self.config = config
        self.is_skeleton: bool = skeleton is not None
        self.tried: int = 0
        tree, positions = (parse_module(text), None) if skeleton is None else skeleton
        self.module: Module = Module(text, path, tree, positions)

    def close(self) -> None:
        """Undo the cycles of the model, so that it is freed at once and without the garbage collector."""
        self.module.close()
        vars(self).clear()

    @cached_property
    def flow(self) -> Flow:
        """The places of the module."""
        return Flow(self.module)

    @cached_property
    def names(self) -> Names:
        """The names that the module binds."""
        from agraph_static._internal.names import Names  # noqa: PLC0415 - only fixes ask

        return Names(self.module)

    @cached_property
    def origins(self) -> Origins:
        """Where values come from."""
        return Origins(self.module, self.flow, dict(self.config.extra_wrappers))

    @cached_property
    def resolver(self) -> Resolver:
        """What callbacks and coroutines complete."""
        return Resolver(self.module, self.flow, self.origins)

    @cached_property
    def bridges(self) -> list[Bridge]:
        """The done-callbacks that complete what another task waits for, without an edge."""
        from agraph_static._internal.bridges import bridges  # noqa: PLC0415 - imported when first needed

        return list(bridges(self))

    @cached_property
    def flights(self) -> list[Flight]:
        """The futures that one task makes, shares and completes."""
        from agraph_static._internal.flights import flights  # noqa: PLC0415 - imported when first needed

        return list(flights(self))

    @cached_property
    def task_groups(self) -> dict[Place, list[Function]]:
        """The functions that enter a task group, by the group's place."""
        from agraph_static._internal.seen import task_groups  # noqa: PLC0415 - imported when first needed

        return task_groups(self)

    @cached_property
    def loose_setters(self) -> list[tuple[cst.BaseExpression, Function]]:
        """What stands before `.set` and the like where it is not called."""
        from agraph_static._internal.hands import loose_setters  # noqa: PLC0415 - imported when first needed

        return loose_setters(self)

    @cached_property
    def loose_names(self) -> set[str]:
        """The names that are handed on and not called."""
        from agraph_static._internal.hands import loose_names  # noqa: PLC0415 - imported when first needed

        return loose_names(self)

    @cached_property
    def completions(self) -> dict[Place, list[tuple[Function, Function]]]:
        """The functions that complete what a place holds, and where that stands."""
        from agraph_static._internal.hands import completions  # noqa: PLC0415 - imported when first needed

        return completions(self)

    @cached_property
    def locks(self) -> Locks:
        """The asyncio locks that are held in `async with` blocks."""
        from agraph_static._internal.locks import Locks  # noqa: PLC0415 - imported when first needed

        return Locks(self)

    @cached_property
    def edges(self) -> Edges:
        """The calls that record edges by hand."""
        from agraph_static._internal.edges import Edges  # noqa: PLC0415 - imported when first needed

        return Edges(self)

    def start(self, node: cst.CSTNode) -> int:
        """Where a node begins, to compare what comes first."""
        return self.module.positions.offsets(node)[0]

    def edit(self, start: int, end: int, text: str) -> Edit:
        """An edit between two characters of the text, in bytes of its UTF-8 form."""
        before = len(self.module.text[:start].encode("utf-8", errors="surrogatepass"))
        inside = len(self.module.text[start:end].encode("utf-8", errors="surrogatepass"))
        return Edit(before, before + inside, text)

    def in_loop(self, node: cst.CSTNode) -> bool:
        """Whether a node stands in a loop of its function."""
        for one in self.module.ancestors(node):
            if isinstance(one, (cst.FunctionDef, cst.Lambda)):
                return False
            if isinstance(one, (cst.For, cst.While)):
                return True
        return False

    def code(self, node: cst.CSTNode) -> str:
        """The source of a node on one line, shortened."""
        text = " ".join(self.module.code(node).split())
        return text if len(text) <= 60 else text[:57] + "..."

    def name_of(self, place: Place, function: Function | None = None) -> str:
        """How to call a place in a message about a function; an attribute of another class by its name."""
        kind, owner, path = place
        if kind == "s":
            own = function.owner if function is not None else None
            mine = function is None or (own is not None and self.module.class_family(own) == owner)
            path = ("self" if mine else str(owner).rpartition(".")[2]) + path
        return _STEP.sub("[...]", path)

    def made_at(self, place: Place, name: str) -> list[Related]:
        """Where the future or primitive that a place holds is made, if that is in this module."""
        for value in self.flow.values(place):
            if value.node not in self.module.positions:
                continue
            if isinstance(value.node, cst.Call) and self.origins.of_call(value.node) not in ("unknown", "io"):
                return [self.related(value.node, f"`{name}` is made here")]
        return []

    def related(self, node: cst.CSTNode, message: str) -> Related:
        """A second place."""
        return Related(self.path, self.module.positions.span(node), message)

    def finding(
        self,
        rule: type[Rule],
        node: cst.CSTNode,
        function: Function,
        message: str,
        *,
        confidence: Confidence = "certain",
        label: str = "",
        help: str = "",  # noqa: A002 - the word of the contract
        related: Iterable[Related] = (),
        notes: Iterable[str] = (),
        fix: Fix | None = None,
    ) -> Finding:
        """A finding at a node of this module."""
        return Finding(
            rule.code, confidence, message, self.path, self.module.positions.span(node), function.qualname,
            label, help, tuple(related), tuple(notes), fix,
        )  # fmt: skip
