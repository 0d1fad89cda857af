"""Finding a function inside of a function of the standard library, to know its closures by their code."""

from __future__ import annotations

import types


def nested_code(outer: object, name: str) -> types.CodeType | None:
    """The code of function `name` inside of function `outer`; None when this version has no such function."""
    constants = outer.__code__.co_consts if isinstance(outer, types.FunctionType) else ()
    return next(
        (item for item in constants if isinstance(item, types.CodeType) and item.co_name == name), None
    )
