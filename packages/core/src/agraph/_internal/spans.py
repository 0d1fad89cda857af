"""Which span of a distributed trace each task works in, as OpenTelemetry keeps it in the task's context.

Ids are those of W3C Trace Context, https://www.w3.org/TR/trace-context/: whoever calls another process sends
its span's id along, and the callee's span remembers it as that of its parent. So `agraph analyze` can tell
which task of another captured process a task waits for.

Read from opentelemetry-api and -sdk 1.45; where the attributes have other names nothing is found.
"""

from __future__ import annotations

import abc
import contextlib
import contextvars
import gc
import sys
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from agraph._internal.futures import C_TASK, PY_FUTURE, PY_TASK, coroutine_of, instance_dict
from agraph._internal.instances import attribute
from agraph._internal.kinds import is_kind_of
from agraph._internal.waits import values_in
from agraph._internal.walk import chain

if TYPE_CHECKING:
    from agraph._internal.builder import Builder
    from agraph._internal.task_rows import Facts

# Bounds of the search for the spans around a task's own: of nested spans, and of values in the frames.
_DEEPEST, _MOST_VALUES = 100, 1_000

_get_context = getattr(C_TASK, "get_context", None)  # since 3.12


class _Where(NamedTuple):
    """Where OpenTelemetry keeps the span."""

    variable: contextvars.ContextVar[object]
    key: str


class _Ids(NamedTuple):
    trace: int
    span: int
    is_remote: bool


class _Span(NamedTuple):
    own: _Ids
    parent: _Ids | None
    has_ended: bool


def note_spans(builder: Builder, facts: Facts) -> None:
    """Note the span of each task that has one: `trace_id`, `span_id` and, of a callee, `remote_parent_id`.

    Args:
        builder: The snapshot in the making, with all tasks.
        facts: Its tasks.
    """
    where = _where()
    if where is None:
        return
    spans: dict[int, _Span | None] = {}
    callers: dict[int, _Ids | None] = {}
    for number, task in zip(facts.numbers, facts.tasks, strict=True):
        span = _span_of(task, where)
        if span is None:
            continue
        if id(span) not in spans:
            spans[id(span)] = _read(span)
        known = spans[id(span)]
        if known is None:
            continue
        if callers.get(id(span)) is None:  # a task that only inherited the span does not tell
            callers[id(span)] = _caller(task, known)
        _note(builder, number, known.own, callers[id(span)])


def _note(builder: Builder, number: int, own: _Ids, caller: _Ids | None) -> None:
    found = {"trace_id": f"{own.trace:032x}"}
    if not own.is_remote:
        found["span_id"] = f"{own.span:016x}"
    if caller is not None:
        found["remote_parent_id"] = f"{caller.span:016x}"
    node = builder.nodes[number]
    if node is not None:
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


def _read(span: object) -> _Span | None:
    own = _ids(attribute(span, "_context"))
    if own is None:
        return None
    # Nanoseconds since the epoch, from `end()` on; spans that are not recorded have none.
    has_ended = type(attribute(span, "_end_time")) is int
    return _Span(own, _ids(attribute(span, "_parent")), has_ended)


def _caller(task: object, span: _Span) -> _Ids | None:
    """The span in another process that a span is part of the answer to.

    A span that has ended answers nobody any more: a task still in it was left behind by what did.
    """
    if span.has_ended:
        return None
    if span.own.is_remote:
        return span.own  # nobody records an own span for the answer
    parent = span.parent
    around: dict[int, _Span] | None = None
    for _ in range(_DEEPEST):
        if parent is None or parent.is_remote:
            return parent
        if around is None:
            around = _spans_in(task)
        outer = around.get(parent.span)
        parent = None if outer is None else outer.parent
    return None


def _spans_in(task: object) -> dict[int, _Span]:
    """The spans that the frames of a task have as variables, or in open `with` blocks, by their ids."""
    base = getattr(sys.modules.get("opentelemetry.trace"), "Span", None)
    found: dict[int, _Span] = {}
    ahead: list[Any] = [value for link in chain(coroutine_of(task)) for value in values_in(link.owner)]
    seen: set[int] = set()
    for value in ahead:  # it grows meanwhile
        kind = type(value)
        if id(value) in seen or len(seen) > _MOST_VALUES:
            continue
        seen.add(id(value))
        if kind is types.MethodType:
            ahead.append(value.__self__)
        elif kind is types.GeneratorType:
            ahead += values_in(value)
        elif is_kind_of(kind, (contextlib._GeneratorContextManagerBase,)):
            ahead.append(attribute(value, "gen"))
        elif type(base) is abc.ABCMeta and is_kind_of(kind, (base,)):
            span = _read(value)
            if span is not None and not span.has_ended:
                found[span.own.span] = span
    return found


def _ids(context: Any) -> _Ids | None:  # noqa: ANN401 - whatever is in that place
    """The ids of a `SpanContext`, which is a tuple; None for anything else, and for one without a trace."""
    if not issubclass(type(context), tuple) or tuple.__len__(context) < len(_Ids._fields):
        return None
    trace, span, is_remote = tuple.__getitem__(context, slice(3))
    if type(trace) is not int or type(span) is not int or not 0 < trace < 1 << 128 or not 0 < span < 1 << 64:
        return None
    return _Ids(trace, span, is_remote is True)
