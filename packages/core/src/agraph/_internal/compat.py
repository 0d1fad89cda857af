"""Every question about the version of the interpreter that core asks, each with a name."""

from __future__ import annotations

import sys

# asyncio keeps `_asyncio_awaited_by` and has the call graph functions (Lib/asyncio/graph.py).
HAS_NATIVE_AWAITED_BY = sys.version_info >= (3, 14)
