"""Every question about the version of the interpreter that core asks, each with a name."""

from __future__ import annotations

import sys
import types

# asyncio keeps `_asyncio_awaited_by` and has the call graph functions (Lib/asyncio/graph.py).
HAS_NATIVE_AWAITED_BY = sys.version_info >= (3, 14)

# C tasks are kept in a list per thread and reached through their loop (gh-128002), not in a weak set.
TASKS_ARE_KEPT_PER_LOOP = sys.version_info >= (3, 14)

# `frame.f_locals` is a view (PEP 667); before, it is a dictionary that stays with the frame and keeps values
# alive.
LOCALS_ARE_A_VIEW = sys.version_info >= (3, 13)

# On value stacks there may be references that no count knows of (LOAD_FAST_BORROW, Python/bytecodes.c).
STACKS_BORROW = sys.version_info >= (3, 14)
# At a plain `yield` their value stack may have references that no count knows of. A coroutine is suspended at
# an `await` only, which ends a basic block, and none is borrowed across blocks (Python/flowgraph.c).
BORROWERS = (types.GeneratorType, types.AsyncGeneratorType) if STACKS_BORROW else ()
