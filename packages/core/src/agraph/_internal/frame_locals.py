"""The locals of a frame by name, leaving no trace in it."""

from __future__ import annotations

import gc
from inspect import CO_OPTIMIZED
from typing import TYPE_CHECKING, Any

from agraph._internal.compat import LOCALS_ARE_A_VIEW

if TYPE_CHECKING:
    from types import FrameType


def read_locals(frame: FrameType, owner: object = None) -> dict[str, Any]:
    """The variables of a frame of a function, those of enclosing functions included.

    Up to 3.12 `f_locals` fills a dictionary that stays with the frame and keeps the values alive. So it is
    emptied again; and where the frame has one already (the program called `locals()`, a debugger looks on),
    it is not touched.

    Args:
        frame: The frame.
        owner: The coroutine or generator of the frame, if it is suspended.

    Returns:
        A copy, by name; empty where reading would leave a trace.
    """
    if not frame.f_code.co_flags & CO_OPTIMIZED:
        return {}  # a module or class body: its locals are its namespace
    if LOCALS_ARE_A_VIEW:
        return dict(frame.f_locals)
    if owner is not None and _has_dictionary(owner, frame):
        return {}
    kept = frame.f_locals
    values = dict(kept)
    if owner is not None:
        kept.clear()
    return values


def _has_dictionary(owner: object, frame: FrameType) -> bool:
    """Whether the frame has its dictionary: visited before the code (_PyFrame_Traverse, Python/frame.c)."""
    # 3.11 visits the code once more, first of all, for the coroutine itself.
    head = gc.get_referents(owner)[:8]
    code = frame.f_code
    before = max((position for position, item in enumerate(head) if item is code), default=len(head))
    # An empty one is what `read_locals` left behind, or is as empty when it has read it.
    return any(type(item) is dict and item for item in head[:before])
