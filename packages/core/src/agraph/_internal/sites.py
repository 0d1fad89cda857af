"""Interning of places and stacks: a hundred thousand tasks stand at a handful of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agraph._internal.model import Site
from agraph._internal.withs import Blocks, blocks_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType


class Sites:
    """The `sites` and `stacks` tables of a snapshot in the making.

    Attributes:
        sites: Every place once.
        stacks: Every stack once, innermost frame first, as indices into `sites`.
    """

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.stacks: list[tuple[int, ...]] = []
        self._of_site: dict[Site, int] = {}
        self._of_stack: dict[tuple[int, ...], int] = {}
        # By the identity of the code: its own hash reads all its constants. `_codes` keeps identities valid.
        self._of_instruction: dict[tuple[int, int], tuple[int, Blocks]] = {}
        self._codes: list[CodeType] = []

    def place(self, frame: FrameType) -> tuple[int, Blocks]:
        """Where a frame stands: the index of its site, and the blocks open there."""
        code = frame.f_code
        lasti = frame.f_lasti
        known = self._of_instruction.get((id(code), lasti))
        if known is None:
            site = Site(code.co_filename, code.co_qualname, frame.f_lineno or 0)
            known = self.site(site), blocks_at(code, lasti)
            self._of_instruction[id(code), lasti] = known
            self._codes.append(code)
        return known

    def site(self, site: Site) -> int:
        """The index of a site."""
        index = self._of_site.setdefault(site, len(self.sites))
        if index == len(self.sites):
            self.sites.append(site)
        return index

    def stacks_with(self, test: Callable[[CodeType], bool]) -> set[int]:
        """The indices of the stacks with a frame whose code passes a test, which is asked once of each."""
        passed = {key: test(code) for key, code in {id(code): code for code in self._codes}.items()}
        places = {site for (key, _), (site, _) in self._of_instruction.items() if passed[key]}
        return (
            {at for at, stack in enumerate(self.stacks) if not places.isdisjoint(stack)} if places else set()
        )

    def stack(self, places: tuple[int, ...]) -> int | None:
        """The index of a stack, given innermost first; None for an empty one."""
        if not places:
            return None
        index = self._of_stack.setdefault(places, len(self.stacks))
        if index == len(self.stacks):
            self.stacks.append(places)
        return index
