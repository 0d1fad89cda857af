"""Reads short snapshots, of which there may be ten thousand: msgspec holds each value to its type.

What is wrong with one that it refuses, the reader of core says. What a process writes again and again, facts
about itself and places in its source, is kept once.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, NamedTuple, NotRequired, TypeAlias, TypedDict

import msgspec
from msgspec import UNSET, Raw, UnsetType

from agraph import Capture, Process, Site

_Index = Annotated[int, msgspec.Meta(ge=0)]
_Seconds: TypeAlias = int | float

# What is told in a few words that are written once.
_IN_WORDS = ("type", "state", "open")

# When so much is kept, all of it is forgotten.
_MOST_KEPT = 10_000


class _Words(msgspec.Struct):
    words: list[str]
    at: list[_Index]


class _Table(TypedDict):
    id: list[int]
    name: NotRequired[list[str]]
    type: NotRequired[_Words | list[str]]
    state: NotRequired[_Words | list[str]]
    stack: NotRequired[list[_Index | None]]
    loop: NotRequired[list[int | None]]
    since: NotRequired[list[_Seconds | None]]
    wait: NotRequired[list[int | None]]
    key: NotRequired[list[int | None]]
    need: NotRequired[list[_Index]]
    timer: NotRequired[list[_Seconds | None]]
    open: NotRequired[_Words | list[str]]
    exc: NotRequired[list[bool | int]]
    detail: NotRequired[list[dict[str, str | _Seconds | None] | None]]


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
    nodes: dict[str, _Table]
    edges: list[_Group]
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
_PROCESS = msgspec.json.Decoder(_like(Process))
_CAPTURE = msgspec.json.Decoder(_like(Capture))
_SITES = msgspec.json.Decoder(tuple[tuple[str, str, int], ...])
_STACKS = msgspec.json.Decoder(tuple[tuple[_Index, ...], ...])

_TEXTS: dict[tuple[str, bytes], Any] = {}
_PLACES: dict[tuple[str, str, int], Site] = {}


def read(data: bytes) -> Document:
    """Read a short document.

    Args:
        data: JSON.

    Returns:
        The document. What has no fixed type, such as the word for the kind of an edge, is not checked.

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
        {kind: _columns(dict(table)) for kind, table in one.nodes.items()},
        [
            (
                group.kind,
                group.confidence,
                group.waiter,
                group.awaited,
                None if group.site is UNSET else group.site,
            )
            for group in one.edges
        ],
    )


def _columns(table: dict[str, Any]) -> dict[str, list[Any]]:
    for name in _IN_WORDS:
        value = table.get(name)
        if type(value) is _Words:
            table[name] = list(map(value.words.__getitem__, value.at))
    if "exc" in table:
        if not set(table["exc"]) <= {0, 1}:
            raise ValueError(table["exc"])
        table["exc"] = list(map(bool, table["exc"]))
    return table


def _known(name: str, text: Raw) -> Any:  # noqa: ANN401 - one of the parts of a document
    """A part of a document; the one that was made before where the text is the same."""
    key = name, bytes(text)
    found = _TEXTS.get(key)
    if found is None:
        if name == "process":
            found = Process(*msgspec.structs.astuple(_PROCESS.decode(text)))
        elif name == "stacks":
            found = _STACKS.decode(text)
        else:
            found = tuple(map(_place, _SITES.decode(text)))
        _keep(_TEXTS, key, found)
    return found


def _place(site: tuple[str, str, int]) -> Site:
    found = _PLACES.get(site)
    if found is None:
        found = Site(*site)
        _keep(_PLACES, site, found)
    return found


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[key] = value
