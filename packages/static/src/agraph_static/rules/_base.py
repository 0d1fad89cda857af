"""What a rule is: its words, its examples, and a check over the model of one module."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_static._internal.context import Context
    from agraph_static._internal.model import Finding


class Rule:
    """One rule. Its good and bad examples are its tests and its documentation.

    Attributes:
        code: Such as `AG101`.
        name: A short name in kebab case.
        summary: One sentence: what is wrong with code that breaks the rule.
        why: Why that matters and what to do, as Markdown paragraphs.
        good: Examples the rule is silent about.
        bad: Examples the rule objects to, on the lines that end with `# error: CODE`.
        default: Whether it is on unless configured.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    summary: ClassVar[str]
    why: ClassVar[str]
    good: ClassVar[tuple[str, ...]] = ()
    bad: ClassVar[tuple[str, ...]] = ()
    default: ClassVar[bool] = True

    @classmethod
    def check(cls, context: Context) -> Iterator[Finding]:
        """Find what breaks the rule in one module.

        Args:
            context: The model of the module.

        Yields:
            Findings, in any order. Rules that the engine itself applies yield none.
        """
        del context
        yield from ()
