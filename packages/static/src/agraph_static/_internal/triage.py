"""Which files are worth a libcst tree. Every step may only let too much through, never too little.

First a test for byte strings (`in`, some 600 MB/s; a regular expression reaches a tenth of that), then a look at the
standard parser's tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

_AWAITERS = (b"await", b"async ", b"yield", b"future")
_KEYS = (b"add_done_callback", b"add_future", b"create_future", b"Future(", b"Event(", b"awaited_by", b"chain_future",
         b"run_coroutine_threadsafe", b"Lock(", b"Condition(", b"all_tasks", b"current_task")  # fmt: skip


def may_matter(data: bytes) -> bool:
    """Whether a file can hold a finding, judged by its bytes."""
    return any(key in data for key in _KEYS) and any(key in data for key in _AWAITERS)


def is_candidate(tree: ast.Module) -> bool:
    """Whether a file can hold a finding, judged by its tree."""
    del tree
    return True
