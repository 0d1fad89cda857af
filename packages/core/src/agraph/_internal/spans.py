"""Which span of a distributed trace each task works in, as OpenTelemetry keeps it in the task's context.

Ids are those of W3C Trace Context, https://www.w3.org/TR/trace-context/: whoever calls another process sends
its span's id along, and the callee's span remembers it as that of its parent. So `agraph analyze` can tell
which task of another captured process a task waits for.

Read from opentelemetry-api and -sdk 1.45; where the attributes have other names nothing is found.
"""

from __future__ import annotations

import contextvars
import gc
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import C_TASK, PY_FUTURE, PY_TASK, instance_dict
from agraph._internal.instances import attribute

if TYPE_CHECKING:
    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts

_get_context = getattr(C_TASK, "get_context", None)  # since 3.12


class _Where(NamedTuple):
    """Where OpenTelemetry keeps the span."""

    variable: contextvars.ContextVar[object]
    key: str


class _Ids(NamedTuple):
    trace: int
    span: int
    is_remote: bool


def note_spans(builder: Builder, facts: Facts) -> None:
    """Note the span of each task that has one: `trace_id`, `span_id` and, of a callee, `remote_parent_id`.

    Args:
        builder: The snapshot in the making, with all tasks.
        facts: Its tasks.
    """
    where = _where()
    if where is None:
        return
    known: dict[int, dict[str, str]] = {}
    for number, task in zip(facts.numbers, facts.tasks, strict=True):
        span = _span_of(task, where)
        if span is None:
            continue
        found = known.get(id(span))
        if found is None:
            found = known[id(span)] = _described(span)
        node = builder.nodes[number]
        if found and node is not None:
            builder.change(number, detail={**(node.detail or {}), **found})


def _where() -> _Where | None:
    runtime = getattr(sys.modules.get("opentelemetry.context"), "_RUNTIME_CONTEXT", None)
    variable = attribute(runtime, "_current_context")
    key = getattr(sys.modules.get("opentelemetry.trace.propagation"), "_SPAN_KEY", None)
    if type(variable) is not contextvars.ContextVar or type(key) is not str:
        return None
    return _Where(variable, key)


def _span_of(task: object, where: _Where) -> object:
    context = _context_of(task)
    values: Any = None if context is None else context.get(where.variable)
    # A `dict` of a class of OpenTelemetry, whose keys are strings: asked in this way, no method of it runs.
    return dict.get(values, where.key) if issubclass(type(values), dict) else None


def _context_of(task: object) -> contextvars.Context | None:
    if issubclass(type(task), PY_TASK):
        found = instance_dict(task, PY_FUTURE).get("_context")
    elif _get_context is not None:
        found = _get_context(task)
    else:
        # `task_context` of Modules/_asyncio.c has no name in Python 3.11.
        found = next((item for item in gc.get_referents(task) if type(item) is contextvars.Context), None)
    return found if type(found) is contextvars.Context else None


def _described(span: object) -> dict[str, str]:
    own, parent = _ids(attribute(span, "_context")), _ids(attribute(span, "_parent"))
    if own is None:
        return {}
    found = {"trace_id": f"{own.trace:032x}"}
    # The span of a caller may be the current one itself, where nobody records an own one for the callee.
    caller = own if own.is_remote else parent
    if not own.is_remote:
        found["span_id"] = f"{own.span:016x}"
    if caller is not None and caller.is_remote:
        found["remote_parent_id"] = f"{caller.span:016x}"
    return found


def _ids(context: Any) -> _Ids | None:  # noqa: ANN401 - whatever is in that place
    """The ids of a `SpanContext`, which is a tuple; None for anything else, and for one without a trace."""
    if not issubclass(type(context), tuple) or tuple.__len__(context) < len(_Ids._fields):
        return None
    trace, span, is_remote = tuple.__getitem__(context, slice(3))
    if type(trace) is not int or type(span) is not int or not 0 < trace < 1 << 128 or not 0 < span < 1 << 64:
        return None
    return _Ids(trace, span, is_remote is True)
