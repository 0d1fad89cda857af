"""agraph: see what every asyncio task of a process waits for.

`capture` takes a snapshot of the whole process: tasks, futures, locks and who holds them, loops, threads.
`load` and `loads` read one back, `merge` keeps what stood still in several.
`capture_call_graph`, `format_call_graph`, `print_call_graph` and the two `future_..._awaited_by` functions
are those of asyncio 3.14, on every version since 3.11, safe with cycles.
`install` lets a process write a snapshot by itself: at a signal, on a socket, or when it hangs.

Nothing happens unless asked for: importing this package patches nothing and starts nothing.
"""

from typing import TYPE_CHECKING

from agraph._internal.entry import capture
from agraph._internal.errors import AgraphError, SnapshotError
from agraph._internal.files import load, loads
from agraph._internal.model import Capture, Edge, Node, Process, Site, Snapshot
from agraph._internal.version import __version__

if TYPE_CHECKING:
    from agraph._internal.awaited_by import future_add_to_awaited_by, future_discard_from_awaited_by
    from agraph._internal.graph import (
        FrameCallGraphEntry,
        FutureCallGraph,
        capture_call_graph,
        format_call_graph,
        print_call_graph,
    )
    from agraph._internal.link import link
    from agraph._internal.merge import merge
    from agraph._internal.resource import Resource, Stay, resource
    from agraph._internal.triggers.install import install, uninstall

# Imported on first use: together they would make `import agraph` four times slower.
_LAZY = {
    "Resource": "resource",
    "Stay": "resource",
    "FrameCallGraphEntry": "graph",
    "FutureCallGraph": "graph",
    "capture_call_graph": "graph",
    "format_call_graph": "graph",
    "future_add_to_awaited_by": "awaited_by",
    "future_discard_from_awaited_by": "awaited_by",
    "install": "triggers.install",
    "link": "link",
    "merge": "merge",
    "print_call_graph": "graph",
    "resource": "resource",
    "uninstall": "triggers.install",
}

__all__ = [
    "AgraphError",
    "Capture",
    "Edge",
    "FrameCallGraphEntry",
    "FutureCallGraph",
    "Node",
    "Process",
    "Resource",
    "Site",
    "Snapshot",
    "SnapshotError",
    "Stay",
    "__version__",
    "capture",
    "capture_call_graph",
    "format_call_graph",
    "future_add_to_awaited_by",
    "future_discard_from_awaited_by",
    "install",
    "link",
    "load",
    "loads",
    "merge",
    "print_call_graph",
    "resource",
    "uninstall",
]


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value: object = getattr(import_module(f"agraph._internal.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
