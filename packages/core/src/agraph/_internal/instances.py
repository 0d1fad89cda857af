"""The attributes of objects of the application, read without running any of its code.

Only what C code defines is asked: the descriptor of `__dict__` and those of `__slots__`, found through the
types' own dictionaries. Properties, `__getattr__` and metaclasses are never met.
"""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any

from agraph._internal.kinds import is_one_of, type_mro
from agraph._internal.walk import _type_dict, _type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# `dict.items` reads these without any method of theirs.
DICTS = (dict, defaultdict, OrderedDict)
SEQUENCES = (list, tuple, deque)
_C_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
NOTHING: Any = object()  # stands for an attribute that is not there


def name_of_type(kind: type) -> str:
    return _type_name(kind)


def dict_of(thing: object) -> dict[str, Any] | None:
    """The dictionary of an instance; None when it has none, or not one that C code hands out."""
    for base in type_mro(type(thing)):
        found = _type_dict(base).get("__dict__")
        if found is not None and is_one_of(type(found), _C_DESCRIPTORS):
            try:
                values = found.__get__(thing)
            except TypeError:
                # Up to 3.11 that of a plain class refuses instances of a class that has also a base of C code
                # with a `__dict__` (subtype_dict in Objects/typeobject.c); that base may have one of its own.
                continue
            return values if type(values) is dict else None
    return None


def slots_of(thing: object) -> Iterable[tuple[str, object]]:
    """The names and values of the `__slots__` of an instance."""
    for base in type_mro(type(thing)):
        for name, found in list(_type_dict(base).items()):
            if type(found) is types.MemberDescriptorType and type(name) is str and name != "__dict__":
                value = _slot(found, thing)
                if value is not NOTHING:
                    yield name, value


def _slot(descriptor: types.MemberDescriptorType, thing: object) -> object:
    try:
        return descriptor.__get__(thing)
    except (AttributeError, TypeError):  # not set
        return NOTHING


def attribute(thing: object, name: str) -> object:
    """What `thing.name` is if it is a plain attribute of the instance or of its class; else NOTHING."""
    if type(thing) is types.ModuleType:
        return _lookup(dict_of(thing) or {}, name)
    if issubclass(type(thing), type):
        return class_attribute(thing, name)  # type: ignore[arg-type]
    found = _lookup(dict_of(thing) or {}, name)
    if found is not NOTHING:
        return found
    found = class_attribute(type(thing), name)
    if type(found) is types.MemberDescriptorType:
        return _slot(found, thing)
    if is_one_of(type(found), _DESCRIPTORS):
        return NOTHING
    return found


_DESCRIPTORS = (property, types.GetSetDescriptorType, classmethod, staticmethod)


def class_attribute(kind: type, name: str) -> object:
    """The first entry of that name in the dictionaries of a class and its bases; NOTHING without."""
    for base in type_mro(kind):
        found = _type_dict(base).get(name, NOTHING)
        if found is not NOTHING:
            return found
    return NOTHING


def item(thing: object, key: object) -> object:
    """What `thing[key]` is for a builtin container and a key that is a string or a number; else NOTHING."""
    kind = type(thing)
    if is_one_of(type(key), (str, int)) and is_one_of(kind, DICTS):
        return _lookup(thing, key)  # type: ignore[arg-type]
    if type(key) is int and is_one_of(kind, (list, tuple)):
        size = len(thing)  # type: ignore[arg-type]
        return thing[key] if -size <= key < size else NOTHING  # type: ignore[index]
    return NOTHING


def _lookup(values: dict[Any, Any], wanted: object) -> object:
    """An entry by its key, step by step: `dict.get` may ask `__eq__` of other keys with the same hash."""
    if len(values) > _LONGEST:
        return NOTHING
    for key, value in list(dict.items(values)):
        if type(key) is type(wanted) and key == wanted:
            return value
    return NOTHING


_LONGEST = 20_000  # larger containers are not looked into


def name_in_class(kind: type, value: object) -> str | None:
    """The name under which a class or one of its bases has an object; None without."""
    for base in type_mro(kind):
        for name, found in list(_type_dict(base).items()):
            if found is value and type(name) is str:
                return name
    return None


def mangled(name: str, owner: str) -> str:
    """`__lock` in the methods of a class `Pool` is stored as `_Pool__lock`."""
    return f"_{owner.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def unmangled(name: str, kind: type) -> str:
    """An attribute as the methods of its class write it."""
    for base in type_mro(kind):
        prefix = f"_{_type_name(base).lstrip('_')}__"
        if name.startswith(prefix):
            return name[len(prefix) - 2 :]
    return name


def values_in_class(kind: type) -> list[object]:
    """What a class and its bases have as attributes, those of builtin types left out."""
    return [
        value for base in type_mro(kind) if is_heap_type(base) for value in list(_type_dict(base).values())
    ]


def is_heap_type(kind: type) -> bool:
    """Whether a class was made by a `class` statement (or by C code that makes types while it runs)."""
    return bool(_flags(kind) & _HEAP_TYPE)


_flags: Callable[[type], int] = type.__dict__["__flags__"].__get__
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE, Include/object.h
