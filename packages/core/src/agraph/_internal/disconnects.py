"""Tasks that aiohttp cancels when their client goes: those of a server with `handler_cancellation=True`.

Read from aiohttp 3.14 (RequestHandler in aiohttp/web_protocol.py: `start` is what its task runs, and
`connection_lost` cancels that). Where the names are others nothing is found.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

from agraph._internal.futures import coroutine_of
from agraph._internal.instances import attribute, class_attribute
from agraph._internal.waits import first_of

if TYPE_CHECKING:
    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts

_MAY_CANCEL = "its client may disconnect, which cancels it"


def note_disconnects(builder: Builder, facts: Facts) -> None:
    """Tell of tasks that go when their client does.

    Args:
        builder: The snapshot in the making, with the rows of the tasks.
        facts: The tasks.
    """
    kind = getattr(sys.modules.get("aiohttp.web_protocol"), "RequestHandler", None)
    start = class_attribute(kind, "start") if isinstance(kind, type) else None
    if not isinstance(kind, type) or type(start) is not types.FunctionType:
        return
    own = start.__code__
    stacks = builder.sites.stacks_with(lambda code: code is own)
    for position, number in enumerate(facts.numbers if stacks else ()):
        node = builder.nodes[number]
        if node is None or node.stack not in stacks or not node.need or node.timer is not None:
            continue
        handler = first_of(coroutine_of(facts.tasks[position]), kind)
        if attribute(attribute(handler, "_manager"), "handler_cancellation") is True:
            builder.open(number, _MAY_CANCEL)
