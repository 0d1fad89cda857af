"""When a loop will call something, of asyncio's handles and of uvloop's."""

from __future__ import annotations

import sys
from asyncio import events
from typing import Any


def is_timer(item: object) -> bool:
    """Whether it is a handle that a loop calls at some time."""
    return type(item) is events.TimerHandle or _is_of_uvloop(item)


def when_of(handle: Any) -> float | None:  # noqa: ANN401 - any object
    """The time at which a loop will call a handle, on the loop's clock.

    Args:
        handle: Any object.

    Returns:
        Seconds; None when it is no timer handle, or one that is cancelled.
    """
    return float(handle.when()) if is_timer(handle) and not handle.cancelled() else None


def _is_of_uvloop(item: object) -> bool:
    # The very type, so its methods are C code (class TimerHandle in uvloop/cbhandles.pyx, 0.22 and 0.23).
    uvloop = sys.modules.get("uvloop.loop")
    return uvloop is not None and type(item) is getattr(uvloop, "TimerHandle", None)
