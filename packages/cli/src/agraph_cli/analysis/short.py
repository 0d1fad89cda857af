"""Reads short snapshots, of which there may be ten thousand: msgspec holds each value to its type.

What is wrong with one that it refuses, the reader of core says. What a process writes again and again, facts
about itself, places in its source and columns that did not change, is read and kept once.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from agraph import Capture, Process, Site

if TYPE_CHECKING:
    from collections.abc import Callable

_Index = Annotated[int, msgspec.Meta(ge=0)]
# What to do about larger ones, the reader of core knows.
_Seconds: TypeAlias = (
    Annotated[int, msgspec.Meta(ge=-(2**60), le=2**60)] | Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
)

# When so much text is kept, all of it is forgotten.
_MOST_KEPT = 2_000_000


class _Words(msgspec.Struct):
    """What is told in a few words that are written once."""

    words: list[str]
    at: list[_Index]


class _Group(msgspec.Struct):
    kind: str
    waiter: list[int]
    awaited: list[int]
    confidence: str = "exact"
    site: list[_Index | None] | UnsetType = UNSET


class _Short(msgspec.Struct):
    format: str
    version: int
    process: Raw
    capture: Raw
    sites: Raw
    stacks: Raw
    nodes: dict[str, dict[str, Raw]]
    edges: Raw
    agraph: str = ""


class Document(NamedTuple):
    """A short document, as `agraph.load` takes it from a decoder."""

    format: str
    version: int
    agraph: str
    process: Process
    capture: Capture
    sites: tuple[Site, ...]
    stacks: tuple[tuple[int, ...], ...]
    nodes: dict[str, dict[str, list[Any]]]
    edges: list[tuple[str, str, list[int], list[int], list[int | None] | None]]


def _like(record: type[Any]) -> type[msgspec.Struct]:
    """A structure with the fields of a record, in their order; a number keeps being whole or not."""
    columns = [(field.name, _TYPES[str(field.type)], field.default) for field in fields(record)]
    made: type[msgspec.Struct] = msgspec.defstruct(record.__name__, columns)
    return made


_TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": _Seconds,
    "float | None": _Seconds | None,
    "tuple[str, ...]": tuple[str, ...],
}
_DOCUMENT = msgspec.json.Decoder(_Short)
_CAPTURE = msgspec.json.Decoder(_like(Capture))
_PLACES: dict[tuple[str, str, int], Site] = {}


def _reader(of: Any, made: Callable[[Any], Any] | None = None) -> Callable[[bytes], Any]:  # noqa: ANN401 - a type
    """Reads a text as a type, and makes something of that."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(of).decode
    return decode if made is None else lambda text: made(decode(text))


def _place(site: tuple[str, str, int]) -> Site:
    return _PLACES.setdefault(site, Site(*site))


def _group(group: _Group) -> tuple[Any, ...]:
    site = None if group.site is UNSET else group.site
    return group.kind, group.confidence, group.waiter, group.awaited, site


def _in_full(column: _Words | list[str]) -> list[str]:
    return list(map(column.words.__getitem__, column.at)) if isinstance(column, _Words) else column


def _flags(column: list[bool | int]) -> list[bool]:
    if not set(column) <= {0, 1}:
        raise ValueError(column)
    return list(map(bool, column))


_in_words = _reader(_Words | list[str], _in_full)
_PARTS: dict[str, Callable[[bytes], Any]] = {
    "process": _reader(_like(Process), lambda one: Process(*msgspec.structs.astuple(one))),
    "sites": _reader(tuple[tuple[str, str, int], ...], lambda sites: tuple(map(_place, sites))),
    "stacks": _reader(tuple[tuple[_Index, ...], ...]),
    "edges": _reader(list[_Group], lambda groups: list(map(_group, groups))),
}
_COLUMNS: dict[str, Callable[[bytes], list[Any]]] = {
    "id": _reader(list[int]),
    "name": _reader(list[str]),
    "type": _in_words,
    "state": _in_words,
    "stack": _reader(list[_Index | None]),
    "loop": _reader(list[int | None]),
    "since": _reader(list[_Seconds | None]),
    "wait": _reader(list[int | None]),
    "key": _reader(list[int | None]),
    "need": _reader(list[_Index]),
    "timer": _reader(list[_Seconds | None]),
    "open": _in_words,
    "exc": _reader(list[bool | int], _flags),
    "detail": _reader(list[dict[str, str | _Seconds | None] | None]),
}


def read(data: bytes) -> Document:
    """Read a short document.

    Args:
        data: JSON.

    Returns:
        The document. What has no fixed type, such as the word for the kind of an edge, is not checked. A part
        that was read before is the same object: nobody is to change it.

    Raises:
        msgspec.MsgspecError: It is not JSON, or a value has another type than the format says.
        IndexError: A column names a word that is not in its list.
        UnicodeDecodeError: It is not UTF-8.
        ValueError: A flag is a number other than 0 and 1.
    """
    if not data.isascii():
        str(data, "utf-8")  # msgspec does not look into what it skips
    one = _DOCUMENT.decode(data)
    return Document(
        one.format,
        one.version,
        one.agraph,
        _known("process", one.process),
        Capture(*msgspec.structs.astuple(_CAPTURE.decode(one.capture))),
        _known("sites", one.sites),
        _known("stacks", one.stacks),
        {
            kind: {name: _known(name, text) for name, text in table.items() if name in _COLUMNS}
            for kind, table in one.nodes.items()
        },
        _known("edges", one.edges),
    )


_KNOWN: dict[tuple[str, bytes], Any] = {}
_kept = 0


def _known(name: str, text: Raw) -> Any:  # noqa: ANN401 - one of the parts of a document
    """A part of a document; the one that was made before where the text is the same."""
    key = name, bytes(text)
    found = _KNOWN.get(key)
    return _read_part(key) if found is None else found


def _read_part(key: tuple[str, bytes]) -> Any:  # noqa: ANN401 - likewise
    global _kept  # noqa: PLW0603 - one number for all of them
    name, text = key
    found = (_COLUMNS.get(name) or _PARTS[name])(text)
    _kept += len(text)
    if _kept > _MOST_KEPT:
        _KNOWN.clear()
        _PLACES.clear()
        _kept = len(text)
    _KNOWN[key] = found
    return found
