"""The local variables of waiting tasks as short texts: what `capture(locals=True)` adds.

Only what the interpreter's own types say is told, so that no `repr` of the application runs: numbers and
short texts as they are, containers by their size, everything else by its type.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from agraph._internal.frame_locals import read_locals
from agraph._internal.futures import is_task, name_of
from agraph._internal.kinds import qualname_of
from agraph._internal.names import is_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import TaskFacts

# What is told of one value, one frame, one task, and of all of them.
_MOST_CHARACTERS = 80
_MOST_VARIABLES = 20
_MOST_FRAMES = 10
_MOST_IN_ALL = 4_000_000

_LONGEST_NUMBER = 200  # bits; the digits of a longer one take long to find
_SIZED = (list, tuple, set, frozenset, dict, bytearray)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


def note_locals(builder: Builder, facts: Sequence[TaskFacts]) -> list[str]:
    """Add `locals` to the details of each waiting task: a line for each frame of its own, innermost first.

    Args:
        builder: The snapshot in the making.
        facts: Its tasks.

    Returns:
        What was left out, a sentence; nothing if all was told.
    """
    told = 0
    for position, fact in enumerate(facts):
        node = builder.nodes[fact.number]
        if node is None or fact.waiter is None:
            continue
        if told > _MOST_IN_ALL:
            return [f"the local variables of up to {len(facts) - position:,} tasks: too many"]
        text = "\n".join(_lines(fact))
        if text:
            told += len(text)
            builder.change(fact.number, detail={**(node.detail or {}), "locals": text})
    return []


def _lines(fact: TaskFacts) -> Iterator[str]:
    own = [standing for standing in reversed(fact.stack) if not is_library(standing.frame.f_code)]
    for standing in own[:_MOST_FRAMES]:
        frame = standing.frame
        values = read_locals(frame, standing.owner)
        shown = [f"{name}={text_of(value)}" for name, value in list(values.items())[:_MOST_VARIABLES]]
        if len(values) > len(shown):
            shown.append(f"and {len(values) - len(shown)} more")
        if shown:
            yield f"{frame.f_code.co_qualname}: {', '.join(shown)}"


def text_of(value: object) -> str:
    """A value as a short text, without running code of its class.

    Args:
        value: Anything.

    Returns:
        Its literal where it is a number, a truth value, None or a text, which may be cut; else what it is.
    """
    kind = type(value)
    literal = _literal(value, kind)
    if literal:
        return literal
    if any(kind is one for one in _SIZED):
        return f"<{kind.__name__} of {len(value)}>"  # type: ignore[arg-type]
    if any(kind is one for one in _FUNCTIONS):
        return f"<{kind.__name__} {value.__qualname__}>"  # type: ignore[attr-defined]
    if is_task(value):
        return f"<{qualname_of(kind)} {name_of(value)[:_MOST_CHARACTERS]}>"
    return f"<{qualname_of(kind)}>"


def _literal(value: Any, kind: type) -> str:  # noqa: ANN401 - whatever a variable holds
    if value is None or kind is bool or kind is float:
        return repr(value)
    if kind is int:
        bits = value.bit_length()
        return repr(value) if bits <= _LONGEST_NUMBER else f"<int of {bits} bits>"
    if kind is str or kind is bytes:
        cut = "..." if len(value) > _MOST_CHARACTERS else ""
        return repr(value[:_MOST_CHARACTERS]) + cut
    return ""
