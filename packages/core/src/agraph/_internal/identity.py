"""Numbers that stand for an object, or for one wait, from one snapshot of a process to the next."""

from __future__ import annotations

# Addresses count from here, in steps of 16 bytes, so that they have 8 digits and not 15.
ORIGIN = id(object())
_WAIT_BITS = (1 << 40) - 1


def key_of(thing: object) -> int:
    """The identity of an object in its process; another object may have it after this one is gone."""
    return (id(thing) - ORIGIN) >> 4


def id_of_key(key: int) -> int:
    """The `id` of the object that a key stands for: objects lie at multiples of 16 bytes."""
    return (key << 4) + ORIGIN


def wait_id(waiter: object, deadline: float | None) -> int:
    """The identity of a wait among those of one task, never 0: of what it waits for, and until when.

    Memory is reused: two futures that live one after the other can have one address. The deadline tells the
    waits of a sleeper in a loop apart.
    """
    number = key_of(waiter)
    return (number if deadline is None else (number ^ hash(deadline)) & _WAIT_BITS) or 1
