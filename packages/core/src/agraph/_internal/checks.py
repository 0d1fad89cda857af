"""Checks of foreign JSON, whose failures name the JSON path, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn, cast

from agraph._internal.errors import SnapshotError

MISSING = object()

# No number of seconds comes near; the differences of such numbers are finite too.
LARGEST = 1e300

# A test, and what it expects, in words.
Check = tuple[Callable[[Any], bool], str]

INT: Check = (lambda value: type(value) is int, "a whole number")
FLOAT: Check = (lambda value: type(value) in (int, float) and is_finite(value), "a finite number")
TEXT: Check = (lambda value: type(value) is str, "a string")
LIST: Check = (lambda value: isinstance(value, list), "a list")
is_flag: Check = (lambda value: value in (0, 1), "true or false")


def is_finite(value: float) -> bool:
    return -LARGEST <= value <= LARGEST  # of an integer this large, `float` would fail


def are_finite(values: Iterable[float | None]) -> bool:
    """Whether all are, in one go; at worst False for numbers that are merely very large."""
    try:
        return is_finite(sum(filter(None, values)))
    except OverflowError:  # an integer that is no float
        return False


def within_range(value: float) -> float:
    """The nearest finite number, for JSON: a program may sleep until `math.inf`."""
    return min(max(value, -LARGEST), LARGEST) if value == value else -LARGEST  # noqa: PLR0124 - NaN does not


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_detail(value: object) -> bool:
    return isinstance(value, dict) and all(
        type(item) in (str, int, type(None)) or (type(item) is float and is_finite(item))
        for item in cast("dict[str, object]", value).values()
    )


is_detail: Check = (_is_detail, "an object of strings and finite numbers")


def one_of(words: tuple[str, ...]) -> Check:
    return (lambda value: value in words, f"one of {', '.join(words)}")


def optional(check: Check) -> Check:
    test, expected = check
    return (lambda value: value is None or test(value), f"{expected} or null")


def shown(value: object) -> str:
    """A value as it stands in a message: `repr`, but never long."""
    if isinstance(value, (str, bytes)):
        value = value[:100]
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; lists in lists in lists
        return "something very large"
    return text if len(text) <= 60 else f"{text[:57]}..."


def fail(value: object, expected: str, path: str) -> NoReturn:
    raise SnapshotError(
        f"expected {expected}, got {'nothing' if value is MISSING else shown(value)}",
        path=path,
        help="the file was changed or damaged after it was written: capture again",
    )


def require(value: object, check: Check, path: str) -> object:
    if not check[0](value):
        fail(value, check[1], path)
    return value


def the_list(data: dict[str, Any], name: str, path: str) -> list[Any]:
    value = data.get(name, MISSING)
    if value is MISSING:
        fail(value, f"the list `{name}`", path)
    return cast("list[Any]", require(value, LIST, f"{path}.{name}"))


def the_object(data: dict[str, Any], name: str, path: str) -> dict[str, Any]:
    value = data.get(name, MISSING)
    if value is MISSING:
        fail(value, f"the object `{name}`", path)
    return cast("dict[str, Any]", require(value, (is_object, "an object"), f"{path}.{name}"))
