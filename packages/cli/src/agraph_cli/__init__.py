"""agraph_cli: the command line of agraph.

For programs it offers the exit codes, the analysis itself and the report on it:

    import agraph
    from agraph_cli import analyze, full_report, to_networkx

    snapshot = agraph.load("snapshot.json")
    print(full_report([snapshot]))
    analysis = analyze([snapshot])
    print(analysis.verdict, to_networkx(analysis))
"""

import importlib
import typing

from agraph_cli.exit_codes import ExitCode

if typing.TYPE_CHECKING:
    from agraph_cli.analysis.judge import analyze
    from agraph_cli.analysis.model import Analysis
    from agraph_cli.analysis.networkx_graph import to_networkx
    from agraph_cli.report.text import full_report

__version__ = "0.1.0"

__all__ = ["Analysis", "ExitCode", "__version__", "analyze", "full_report", "to_networkx"]

# Loaded when first asked for: `agraph --help` needs none of it.
_LAZY = {
    "Analysis": "agraph_cli.analysis.model",
    "analyze": "agraph_cli.analysis.judge",
    "full_report": "agraph_cli.report.text",
    "to_networkx": "agraph_cli.analysis.networkx_graph",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
