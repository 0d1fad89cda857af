"""Types compared without asking them: `in` would call the `__eq__` or `__hash__` of a metaclass."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

type_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__


def kinds_of(things: Sequence[object]) -> dict[int, type]:
    """The types of some objects, by their `id`."""
    kinds = [*map(type, things)]
    return dict(zip(map(id, kinds), kinds, strict=True))


def is_one_of(kind: type, kinds: Iterable[type | None]) -> bool:
    """Whether a type is one of these themselves; no subclass of them counts."""
    return any(kind is known for known in kinds)


def is_kind_of(kind: type, bases: Iterable[type]) -> bool:
    """Whether a type derives from one of these; `issubclass` would hash it where the base is abstract."""
    return any(base is known for base in type_mro(kind) for known in bases)
