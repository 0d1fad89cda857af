"""AG001: a file that does not parse."""

from __future__ import annotations

from typing import ClassVar

from agraph_static.rules._base import Rule


class SyntaxErrorRule(Rule):
    """Reported by the engine; the run goes on with the other files."""

    code = "AG001"
    name = "syntax-error"
    summary = "The file does not parse, so it was not checked"
    why = """\
No rule can say anything about a file that Python itself cannot read. The finding points at the line where
the parser gave up. It cannot be suppressed by a comment, since comments of such a file cannot be read either.

Files that are named are always parsed. In folders with more than 4 MB of files that cannot hold a finding
of any other rule, those files are not parsed, and a note says how many there are.

The grammar is that of the Python that runs agraph. Run it with the newest Python your code is written for."""
    good: ClassVar[tuple[str, ...]] = ("total = 1 + 2\n",)
    bad: ClassVar[tuple[str, ...]] = ("total = 1 +  # error: AG001\n",)
