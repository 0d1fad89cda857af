"""agraph_static: find untracked futures and waits that can deadlock in asyncio code."""

from agraph_static._internal.model import Edit, Finding, Fix, Related, Span
from agraph_static._internal.version import __version__

__all__ = ["Edit", "Finding", "Fix", "Related", "Span", "__version__"]
