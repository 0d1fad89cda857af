"""Columns that stay JSON until one of their values is asked for: most are never told.

Whether such a column is as it has to be is seen from its text, by searches that run at the speed of memory:
to make an object of each value takes ten times as long. The text is JSON for sure, since the decoder has read
over it.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A value is found by the commas before it, counted for each page of the text.
_PAGE = 1 << 13
_SHORT = 1 << 7
# When more values than this were asked for one by one, all are read.
_MANY = 256

_DIGITS = b"0123456789"
_SPACE = b" \t\r\n"
_NULL = b"nul"
_ALL_ONE = bytes.maketrans(_DIGITS, b"0" * 10)
_NUMBERS = bytes.maketrans(_DIGITS, bytes(range(10)))
_LONG = b"0" * 200  # of that many digits a number may be too large

# A thousand numbers in a row, but for the digits in front.
_THOUSAND = b"".join(b"*%03d," % number for number in range(1000))
_MOST_DIGITS = 15


class Packed(Sequence[Any]):
    """A column as JSON."""

    __slots__ = ("_asked", "_flat", "_pages", "_read", "_size", "_values", "_view")

    def __init__(
        self,
        text: Any,  # noqa: ANN401 - any buffer
        read: Callable[[Any], Any],
        size: int,
        *,
        flat: bool = False,
    ) -> None:
        """Take the text.

        Args:
            text: JSON, as bytes or a part of the bytes of a file: these are not copied.
            read: Makes a list of it, or a value of a part.
            size: How many values it has.
            flat: Whether each comma stands between two values.
        """
        self._view = memoryview(text)
        self._read = read
        self._size = size
        self._flat = flat
        self._values: list[Any] | None = None
        self._pages = [0]
        self._asked = 0

    @property
    def text(self) -> bytes:
        """The JSON, in a copy."""
        return bytes(self._view)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - a number or a slice
        if self._values is None:
            if self._flat and type(index) is int and self._asked < _MANY:
                self._asked += 1
                return self._one(range(self._size)[index])
            self._values = self._read(self.text)
        return self._values[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._read(self.text) if self._values is None else self._values)

    def some(self, positions: list[int]) -> list[Any]:
        """Some values, and no others where that can be.

        Args:
            positions: Where they are, ascending.
        """
        if self._values is not None or not self._flat:
            values = list(self)
            return [values[position] for position in positions]
        parts: list[bytes] = []
        found = []
        page, pages = -1, self._counted(positions[-1] if positions else 0)
        for position in positions:
            at = max(bisect_left(pages, position) - 1, 0)
            if at != page:
                page, parts = at, bytes(self._view[at * _PAGE : (at + 1) * _PAGE]).split(b",")
            inside = position - pages[at]
            ends_here = position > 0 and inside < len(parts) - 1
            found.append(parts[inside] if ends_here else self._text_at(position))
        some: list[Any] = self._read(b"[" + b",".join(found) + b"]")
        return some

    def _one(self, index: int) -> Any:  # noqa: ANN401 - a value of the column
        return self._read(self._text_at(index))

    def _counted(self, index: int) -> list[int]:
        """For each page the commas before it, up to the one after that of a value at least."""
        view, pages = self._view, self._pages
        at = (len(pages) - 1) * _PAGE
        while pages[-1] <= index and at < len(view):
            pages.append(pages[-1] + bytes(view[at : at + _PAGE]).count(b","))
            at += _PAGE
        return pages

    def _text_at(self, index: int) -> bytes:
        view, start = self._view, 1
        if index:
            pages = self._counted(index)
            page = bisect_left(pages, index) - 1
            begin = page * _PAGE
            *_, last = bytes(view[begin : begin + _PAGE]).split(b",", index - pages[page])
            start = min(begin + _PAGE, len(view)) - len(last)
        length = _SHORT
        while True:
            value, comma, _ = bytes(view[start : start + length]).partition(b",")
            if comma:
                return value
            if start + length >= len(view):
                return value[:-1]  # without the bracket
            length *= 2

    def mentions(self, word: str) -> bool:
        """Whether a word can be in it; False is sure."""
        return word.encode() in self.text or b"\\u" in self.text  # an escape could spell it another way

    def count(self, value: Any) -> int:  # noqa: ANN401 - any value of the column
        """How often a value is in it."""
        if self._values is None and self._flat and type(value) is str:  # of these there is one spelling
            return self.text.count(json.dumps(value).encode())
        self[:0]
        return 0 if self._values is None else self._values.count(value)


class Words(Sequence[str]):
    """A column that says a few words again and again: a byte for each row."""

    __slots__ = ("_at", "_words")

    def __init__(self, words: list[str], at: bytes) -> None:
        """Take the words, and for each row the number of its word."""
        self._words = words
        self._at = at

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - a number or a slice
        if isinstance(index, slice):
            return list(map(self._words.__getitem__, self._at[index]))
        return self._words[self._at[index]]

    def __iter__(self) -> Iterator[str]:
        return map(self._words.__getitem__, self._at)


def text_of(column: Any) -> bytes:  # noqa: ANN401 - JSON, or what it says
    """The JSON of a column that was not read yet; empty for one that was."""
    return b"" if column is None or isinstance(column, (list, dict, str, int, float)) else bytes(column)


def are_whole(text: bytes, size: int, *, optional: bool = True) -> bool:
    """Whether a JSON list of so many values has whole numbers and, if optional, nulls. False is not sure."""
    allowed = b"-," + _DIGITS + _SPACE + (_NULL if optional else b"")
    return _has(text, size) and text.translate(None, allowed) == b"[]"


def are_counts(text: bytes) -> bool:
    """Whether a JSON list has nothing but whole numbers from 0 on. False is not sure."""
    return text.translate(None, b"," + _DIGITS + _SPACE) == b"[]"


def counted(text: bytes) -> range | None:
    """The numbers of a JSON list that count up by one; None where they may not.

    A thousand numbers are compared at once, since only the digits in front of the last three differ.
    """
    end = text.find(b",")
    first = text[1:end]
    if end < 0 or not first.isdigit() or len(first) > _MOST_DIGITS:
        return None
    start, at = int(first), 1
    number = start - start % 1000
    piece = b",".join(b"%d" % one for one in range(start, number + 1000)) + b","
    while text.startswith(piece, at):
        at += len(piece)
        number += 1000
        piece = _THOUSAND.replace(b"*", b"%d" % (number // 1000))
    rest = text[at:-1] + b","
    if len(rest) > len(piece) or not piece.startswith(rest) or text[-1:] != b"]":
        return None
    return range(start, max(start, number) + rest.count(b","))


def are_seconds(text: bytes, size: int) -> bool:
    """Whether a JSON list of so many values has finite numbers and nulls. False is not sure."""
    if not _has(text, size) or text.translate(None, b"-.," + _DIGITS + _SPACE + _NULL) != b"[]":
        return False
    return _LONG not in text.translate(_ALL_ONE)


def are_texts(text: bytes, size: int) -> bool:
    """Whether a JSON list of so many values has texts without commas. False is not sure."""
    return (
        _has(text, size)
        and text.count(b'"') == 2 * size
        and text.count(b"[") == 1
        and b"\\" not in text
        and b"{" not in text
        and text.isascii()
    )


def are_all(text: bytes, size: int) -> bytes:
    """The JSON of the value that a list of so many has again and again; empty if they differ."""
    end = text.find(b",")
    first = text[1:end] if end > 0 else b""
    return first if first and text == b"[" + (first + b",") * (size - 1) + first + b"]" else b""


def words_in(text: bytes, size: int) -> tuple[bytes, bytes]:
    """What `{"words": [...], "at": [...]}` says, where it has few words.

    Args:
        text: The JSON.
        size: How many rows there are.

    Returns:
        The JSON of an object with the words alone, and for each row the number of its word; both are empty
        where it may not be so.
    """
    split = text.rfind(b',"at":[')  # in no text of JSON: there the quotes are escaped
    at, n_words = text[split + 6 : -1], text.count(b'"', 0, max(split, 0)) // 2 - 1
    if split < 0 or not 0 < n_words <= len(_DIGITS) or b"\\" in text[:split] or not text.isascii():
        return b"", b""
    plain = len(at) == 2 * size + 1 and at.translate(None, b"," + _DIGITS[:n_words]) == b"[]"
    return (text[:split] + b"}", at[1::2].translate(_NUMBERS)) if plain and _has(at, size) else (b"", b"")


def _has(text: bytes, size: int) -> bool:
    return size > 0 and text.count(b",") == size - 1 and text[:1] == b"[" and text[-1:] == b"]"
