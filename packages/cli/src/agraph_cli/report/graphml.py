"""`agraph analyze --format graphml`: the graph for other tools, such as Gephi, yEd or networkx."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agraph_cli.analysis.networkx_graph import graphml_lines, to_networkx
from agraph_cli.report.style import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agraph_cli.analysis.model import Analysis
    from agraph_cli.report.style import Style

_NO_XML = re.compile("[\ufffe\uffff]")


def lines(analysis: Analysis, style: Style) -> Iterator[str]:
    """The graph of `to_networkx` in GraphML. Nodes are called `SNAPSHOT:ID`, snapshots counted from 0.

    Args:
        analysis: The analysis of one or more snapshots.
        style: Without a `limit` every node is in it, else those that are stuck.

    Returns:
        Lines without line ends.
    """
    return graphml_lines(to_networkx(analysis, full=style.limit is None), _safe)


def _safe(text: str) -> str:
    return _NO_XML.sub("\ufffd", clean(text))
