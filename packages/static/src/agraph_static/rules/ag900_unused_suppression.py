"""AG900: a suppression comment that suppresses nothing."""

from __future__ import annotations

from typing import ClassVar

from agraph_static.rules._base import Rule


class UnusedSuppression(Rule):
    """Reported by the engine, after all other rules."""

    code = "AG900"
    name = "unused-suppression"
    summary = "A suppression comment names a rule that finds nothing on its line"
    why = """\
A comment that suppresses nothing hides the next real finding on its line, and tells readers of a problem
that is not there. Only `# agraph: ignore[...]` comments are reported; `# noqa` belongs to other tools too.

A code counts as unused only when its rule was run. A code that is no rule, such as `AG2` or a mistyped
one, is reported in any case, and so is a comment that is not as it should be: `ignore[]`, or one without
its `]`. Such a comment suppresses nothing."""
    good: ClassVar[tuple[str, ...]] = (
        """\
async def main():
    print("no comment, nothing to suppress")
""",
    )
    bad: ClassVar[tuple[str, ...]] = (
        """\
async def main():
    print("fine")  # agraph: ignore[AG101] was needed once  # error: AG900
""",
    )
