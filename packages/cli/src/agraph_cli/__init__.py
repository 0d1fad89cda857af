"""agraph_cli: the command line of agraph.

For programs it offers the exit codes and the analysis itself:

    import agraph
    from agraph_cli import analyze, to_networkx

    analysis = analyze([agraph.load("snapshot.json")])
    print(analysis.verdict, to_networkx(analysis))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agraph_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from agraph_cli.analysis import Analysis, analyze
    from agraph_cli.analysis.networkx_graph import to_networkx

__version__ = "0.1.0"

__all__ = ["Analysis", "ExitCode", "__version__", "analyze", "to_networkx"]

_LAZY = {
    "Analysis": "agraph_cli.analysis",
    "analyze": "agraph_cli.analysis",
    "to_networkx": "agraph_cli.analysis.networkx_graph",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
