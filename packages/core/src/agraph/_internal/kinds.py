"""Types compared without asking them: `in` would call the `__eq__` or `__hash__` of a metaclass."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

type_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_module: Callable[[type], object] = type.__dict__["__module__"].__get__
_type_dict: Callable[[type], Mapping[str, object]] = type.__dict__["__dict__"].__get__


def qualname_of(kind: type) -> str:
    """The `__qualname__` of a class, without asking its metaclass; always a string of the very type."""
    return str.__str__(_qualname(kind))


def module_of(kind: type) -> str:
    """The `__module__` of a class, without asking its metaclass; empty when it is no string."""
    found = _module(kind)
    return found if type(found) is str else ""


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


def has_subclass_defining(base: type, names: Sequence[str]) -> bool:
    """Whether a class that derives from this one, or a mixin of it, defines one of these methods."""
    ahead, seen = [base], {id(base)}
    for kind in ahead:  # it grows meanwhile
        if defines(kind, base, names):
            return True
        below: list[type] = type.__subclasses__(kind)
        new = [one for one in below if id(one) not in seen]
        ahead += new
        seen.update(map(id, new))
    return False


def defines(kind: type, base: type, names: Sequence[str]) -> bool:
    """Whether one of these methods of a class is another one than that of a base."""
    return any(_in_class(kind, name) is not _in_class(base, name) for name in names)


def _in_class(kind: type, name: str) -> object:
    return next((entries[name] for entries in map(_type_dict, type_mro(kind)) if name in entries), None)
