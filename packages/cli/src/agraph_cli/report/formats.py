"""The table of formats of `agraph analyze`. Only the module of the one that is asked for is loaded."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph_cli.analysis.model import Analysis
    from agraph_cli.report.style import Style

FormatName = Literal[
    "full", "tree", "table", "json", "sarif", "dot", "mermaid", "html", "graphml", "speedscope"
]


class Format(NamedTuple):
    """One format.

    Attributes:
        about: What it is, for the help page.
        module: The module here that has `lines(analysis, style)`, or `lines(analysis, style, errors)`.
        limit: How many rows, boxes or items of a list it shows unless told otherwise; None for all.
        tells_errors: Whether it tells of snapshots that could not be read, so that there is something to
            write even when none could.
    """

    about: str
    module: str
    limit: int | None = 10
    tells_errors: bool = False


FORMATS: dict[FormatName, Format] = {
    "full": Format("the verdict, who waits for whom, and what to change, as text", "full"),
    "tree": Format("who waits for whom as a tree, stuck tasks first", "tree", 60),
    "table": Format("a row for each task: verdict, what it waits for, who holds that", "table", 50),
    "json": Format("everything, for programs", "json_", None, tells_errors=True),
    "sarif": Format("a result for each deadlock, for code scanning (SARIF 2.1.0)", "sarif", 1000, True),
    "dot": Format("a picture of what is stuck, for Graphviz", "dot", 60),
    "mermaid": Format("the same picture for Markdown (a Mermaid flowchart)", "mermaid", 30),
    "html": Format("one page with pictures and a table to search; needs no network", "html", 2000),
    "graphml": Format("the graph of what is stuck (with --all: of everything)", "graphml"),
    "speedscope": Format("where tasks stand, as a flame graph for speedscope", "speedscope", None),
}


def help_lines() -> str:
    """A line for each format, for the end of a help page."""
    width = max(map(len, FORMATS))
    rows = "\n".join(f"  {name:<{width}}  {one.about}" for name, one in FORMATS.items())
    return f"Formats:\n{rows}"


def lines(
    name: FormatName, analysis: Analysis, style: Style, errors: Sequence[dict[str, str]] = ()
) -> Iterator[str]:
    """Tell of an analysis in a format.

    Args:
        name: The format.
        analysis: The analysis of one or more snapshots.
        style: How text looks. Its `limit` bounds what is shown, its `root` is what paths start from.
        errors: What could not be read: `path`, `message`, `help`.

    Returns:
        Lines without line ends.
    """
    form = FORMATS[name]
    module = importlib.import_module(f"agraph_cli.report.{form.module}")
    more = (errors,) if form.tells_errors else ()
    told: Iterator[str] = module.lines(analysis, style, *more)
    return told
