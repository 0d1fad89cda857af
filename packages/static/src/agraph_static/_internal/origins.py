"""Where a value comes from: a task, a bare future, a thread, I/O. It decides how sure a finding is."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import libcst as cst

from agraph_static._internal import vocabulary as words
from agraph_static._internal.expressions import container_of
from agraph_static._internal.tree import dotted

if TYPE_CHECKING:
    from agraph_static._internal.flow import Flow, Place, Value
    from agraph_static._internal.scopes import Call, Function
    from agraph_static._internal.semantics import Module
    from agraph_static._internal.vocabulary import Origin

_HOPS = 3
"""How many calls and variables are followed."""

_TASK_ONLY = frozenset(
    {"get_name", "set_name", "get_coro", "cancelling", "uncancel", "get_stack", "get_context"}
)
_WRAPPED = frozenset({"Optional", "Union", "typing.Optional"})


class Origins:
    """Answers for one module."""

    def __init__(self, module: Module, flow: Flow, wrappers: dict[str, str]) -> None:
        """Keep what is asked from.

        Args:
            module: The indexed module.
            flow: Its places.
            wrappers: The configured helper functions and their roles.
        """
        self.module = module
        self.flow = flow
        self.wrappers = wrappers
        self._by_id = {id(function): function for function in module.functions}

    def of(self, expression: cst.BaseExpression, function: Function, hops: int = _HOPS) -> set[Origin]:
        """All origins an expression may have; `unknown` when nothing is known."""
        place = self.flow.place(expression, function)
        if place is not None:
            return self.of_place(place, hops)
        return self._of_value(expression, hops) or {"unknown"}

    def of_place(self, place: Place, hops: int = _HOPS) -> set[Origin]:
        """All origins of what a place may hold."""
        found: set[Origin] = set()
        for annotation in self.flow.annotations.get(self.flow.root(place), ()):
            found |= _of_annotation(annotation, self.module)
        if hops > 0:
            for value in self.flow.values(place):
                found |= self._of_value(value.node, hops - 1)
            for member in self.flow.members(place):
                found |= self._of_parameter(member, hops)
        if "param" not in found and self._is_annotated_event(place):
            found.add("event")  # an attribute; who hands one in may set it
        found.discard("none")
        if self.flow.root(place) in self._of_threads:
            found = found - {"future", "unknown"} | {"thread"}
        return found or {"unknown"}

    def _is_annotated_event(self, place: Place) -> bool:
        """Whether an attribute is said to be an event, as of a dataclass that is made elsewhere."""
        written = self.flow.annotations.get(self.flow.root(place), ()) if place[0] == "s" else ()
        names = [self.module.code(one).removesuffix("| None").strip() for one in written]
        return any(words.PRIMITIVES.get(self.module.qualify(one)) == "event" for one in names)

    @cached_property
    def _of_threads(self) -> set[Place]:
        """The groups of futures that an executor tells that they begin: those of concurrent.futures."""
        receivers = [one for one in self.module.calls if one.name == "set_running_or_notify_cancel"]
        places = [self.flow.place(one.receiver, one.function) for one in receivers]
        return {self.flow.root(place) for place in places if place is not None}

    def _of_parameter(self, place: Place, hops: int) -> set[Origin]:
        kind, owner, path = place
        if kind != "v":
            return set()
        function = self._by_id.get(owner) if isinstance(owner, int) else None
        name = container_of(path)
        bindings = function.bindings.get(name, ()) if function is not None else ()
        if function is None or not any(binding.kind == "param" for binding in bindings):
            return set()
        found: set[Origin] = {"param"}
        for binding in bindings:
            if isinstance(binding.node, cst.Param) and binding.node.annotation is not None:
                found |= _of_annotation(binding.node.annotation.annotation, self.module)
        for value in self.flow.arguments.get((owner, name), ()) if isinstance(owner, int) else ():
            found |= self._of_argument(value, path[len(name) :], hops - 1)
        return found

    def _of_argument(self, value: Value, suffix: str, hops: int) -> set[Origin]:
        if hops <= 0:
            return set()
        place = self.flow.place(value.node, value.function)
        if place is not None:
            found = self.of_place((place[0], place[1], place[2] + suffix), hops)
        else:
            found = self._of_value(value.node, hops)
        return found - {"unknown"}

    def _of_value(self, node: cst.BaseExpression, hops: int) -> set[Origin]:
        if isinstance(node, cst.Call):
            return {self.of_call(node)} if hops <= 0 else self._of_call_deep(node, hops)
        if isinstance(node, cst.Name) and node.value == "None":
            return {"none"}
        return {"unknown"} if isinstance(node, cst.Await) else set()

    def _of_call_deep(self, node: cst.Call, hops: int) -> set[Origin]:
        origin = self.of_call(node)
        if origin not in ("unknown", "io"):
            return {origin}
        call = self.module.call_of.get(id(node))
        callee = self.flow.callee(call) if call is not None else None
        if call is not None and origin == "io" and self._runs_what_is_given(call):
            return {"param"}  # a name that the caller's function was given says nothing about it
        if callee is None or callee.is_async or callee.name == "__init__":
            return {origin}
        found: set[Origin] = set()
        for returned in callee.returns:
            found |= self.of(returned, callee, hops - 1)
        return found or {origin}

    def is_of_threads_by_name(self, expression: cst.BaseExpression, function: Function) -> bool:
        """Whether an expression is a parameter that is annotated as a future of `concurrent.futures`."""
        place = self.flow.place(expression, function)
        for _, owner, path in self.flow.members(place) if place is not None else ():
            scope = self._by_id.get(owner) if isinstance(owner, int) else None
            for binding in scope.bindings.get(path, ()) if scope is not None else ():
                annotation = binding.node.annotation if isinstance(binding.node, cst.Param) else None
                if annotation is not None and "thread" in _of_annotation(annotation.annotation, self.module):
                    return True
        return False

    def of_call(self, node: cst.Call) -> Origin:  # noqa: PLR0911 - one question after the other reads best
        """What the call of a known maker returns."""
        path = dotted(node.func).replace("[]", "")
        qualified = self.module.qualify(path)
        name = qualified.rpartition(".")[2]
        role = self.wrappers.get(qualified) or self.wrappers.get(name)
        if role in ("task", "future"):
            return "task" if role == "task" else "future"
        if (
            qualified in words.THREAD_FUNCTIONS
            or name in words.THREAD_METHODS
            or qualified.startswith("threading.")
        ):
            return "thread"
        if name in words.TASK_METHODS or qualified in words.TASK_FUNCTIONS or name == "current_task":
            return "task"
        if name in words.FUTURE_METHODS:
            return "future"
        primitive = words.PRIMITIVES.get(qualified) or _relative_primitive(qualified)
        if primitive is not None:
            return primitive
        if name == "Event" and not node.args and self._is_event_of_asyncio(path, qualified):
            return "event"
        if name in ("Future", "_GatheringFuture"):
            return "thread" if qualified.startswith("concurrent.") else "future"
        if name in words.IO_METHODS:
            return "io"
        return "unknown"

    def _is_event_of_asyncio(self, path: str, qualified: str) -> bool:
        """Whether a file that uses asyncio imports `Event` from a module that may hand on asyncio's."""
        if path not in self.module.imports or qualified.partition(".")[0] in words.OTHER_EVENTS:
            return False
        return any(one.partition(".")[0] == "asyncio" for one in self.module.imports.values())

    def comes_from_a_given_callable(self, place: Place) -> bool:
        """Whether a function makes it that was handed in, and is annotated to return a future."""
        for value in self.flow.values(place):
            call = self.module.call_of.get(id(value.node))
            for annotation in self._callable_annotations(call) if call is not None else ():
                if annotation is not None and "Future" in self.module.code(annotation):
                    return True
        return False

    def _runs_what_is_given(self, call: Call) -> bool:
        return bool(self._callable_annotations(call))

    def _callable_annotations(self, call: Call) -> list[cst.BaseExpression | None]:
        """The annotations of the parameters that hold what a call runs; empty when none does."""
        place = self.flow.place(call.node.func, call.function)
        found: list[cst.BaseExpression | None] = []
        for _, owner, path in self.flow.members(place) if place is not None else ():
            function = self._by_id.get(owner) if isinstance(owner, int) else None
            for binding in function.bindings.get(path, ()) if function is not None else ():
                if binding.kind == "param" and isinstance(binding.node, cst.Param):
                    annotation = binding.node.annotation
                    found.append(annotation.annotation if annotation is not None else None)
        return found

    def is_treated_as_task(self, place: Place, function: Function) -> bool:
        """Whether a method that only tasks have is called on it, or `function` itself cancels it."""
        calls = self._called_like_tasks.get(self.flow.root(place), ())
        return any(call.name in _TASK_ONLY or call.function is function for call in calls)

    @cached_property
    def _called_like_tasks(self) -> dict[Place, list[Call]]:
        """The calls of methods that tasks have, by the group of what they are called on."""
        found: dict[Place, list[Call]] = {}
        for call in self.module.calls:
            if call.receiver is not None and (call.name == "cancel" or call.name in _TASK_ONLY):
                target = self.flow.place(call.receiver, call.function)
                if target is not None:
                    found.setdefault(self.flow.root(target), []).append(call)
        return found


def _relative_primitive(qualified: str) -> Origin | None:
    """Asyncio's own modules import each other relatively: `.locks.Event`, `locks.Event`."""
    tail = ".".join(qualified.lstrip(".").split(".")[-2:])
    return words.PRIMITIVES.get("asyncio." + tail) if tail.startswith(("locks.", "queues.")) else None


def _of_annotation(annotation: cst.BaseExpression, module: Module) -> set[Origin]:
    """`asyncio.Task[...]`, `"Task"` or one of them in a union or container says it is a task."""
    text = annotation.raw_value if isinstance(annotation, cst.SimpleString) else module.code(annotation)
    for word in ("Task[", "asyncio.Task", "Task]"):
        if word in text:
            return {"task"}
    if text == "Task":
        return {"task"}
    named = module.qualify(text) if text.isidentifier() else text
    if "concurrent.futures" in named and named.count("Future") == 1:
        return {"thread"}
    return set()
