"""Checks of foreign JSON, whose failures name the JSON path, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, cast

from agraph._internal.errors import SnapshotError

# A test, and what it expects, in words.
Check = tuple[Callable[[Any], bool], str]

INT: Check = (lambda value: type(value) is int, "a whole number")
FLOAT: Check = (lambda value: type(value) in (int, float), "a number")
TEXT: Check = (lambda value: type(value) is str, "a string")
LIST: Check = (lambda value: isinstance(value, list), "a list")
is_flag: Check = (lambda value: value in (0, 1), "true or false")


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_detail(value: object) -> bool:
    return isinstance(value, dict) and all(
        type(item) in (str, int, float, type(None)) for item in cast("dict[str, object]", value).values()
    )


is_detail: Check = (_is_detail, "an object of strings and numbers")


def one_of(words: tuple[str, ...]) -> Check:
    return (lambda value: value in words, f"one of {', '.join(words)}")


def optional(check: Check) -> Check:
    test, expected = check
    return (lambda value: value is None or test(value), f"{expected} or null")


def fail(value: object, expected: str, path: str) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    raise SnapshotError(
        f"expected {expected}, got {shown}",
        path=path,
        help="the file was changed or damaged after it was written: capture again",
    )


def require(value: object, check: Check, path: str) -> object:
    if not check[0](value):
        fail(value, check[1], path)
    return value


def the_list(data: dict[str, Any], name: str, path: str) -> list[Any]:
    value = data.get(name, ...)
    if value is ...:
        fail("nothing", f"the list `{name}`", path)
    return cast("list[Any]", require(value, LIST, f"{path}.{name}"))


def the_object(data: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    value = data.get(name, ...)
    if value is ...:
        fail("nothing", f"the object `{name}`", path)
    return cast("dict[str, Any]", require(value, (is_object, "an object"), f"{path}.{name}"))
