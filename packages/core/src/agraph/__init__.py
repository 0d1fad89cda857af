"""agraph: see what every asyncio task of a process waits for."""

from agraph._internal.errors import AgraphError, SnapshotError
from agraph._internal.files import load, loads
from agraph._internal.model import Capture, Edge, Node, Process, Site, Snapshot
from agraph._internal.version import __version__

__all__ = [
    "AgraphError",
    "Capture",
    "Edge",
    "Node",
    "Process",
    "Site",
    "Snapshot",
    "SnapshotError",
    "__version__",
    "load",
    "loads",
]
