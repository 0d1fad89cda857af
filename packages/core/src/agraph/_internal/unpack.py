"""The content of a compressed file, in small pieces: a bomb is given up before it has cost much memory."""

from __future__ import annotations

import importlib
import zlib
from typing import TYPE_CHECKING, Any

from agraph._internal.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A snapshot of 1,000,000 tasks is some 80 MB. Whatever unpacks to more than this is no snapshot but an
# attack on the reader's memory.
MAX_BYTES = 2 * 1024**3

# 200,000 tasks that are all alike, as lines, are 120 times as long as their `.zst` file, and 40 times as long
# as their `.gz` file. What grows by far more is given up once it is long enough to be a burden.
MAX_RATIO, BURDEN_BYTES = 500, 64 * 1024**2

# The first bytes of gzip (RFC 1952) and zstd (RFC 8878).
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_IN_BYTES, _OUT_BYTES = 64 * 1024, 8 * 1024**2

_AGAIN = "copy it again, or capture again: `save` never leaves half a file"


def unpack(data: bytes, name: str) -> bytes:
    """What a file holds.

    Args:
        data: The file, compressed or not; the first bytes say which. Several compressed files in a row give
            their contents in a row.
        name: What to call the file in a message.

    Raises:
        SnapshotError: The data is damaged, was cut, or unpacks to what is no snapshot.
    """
    if data.startswith(_GZIP):
        return _joined(_Members(data, "gzip", _GZIP))
    if data.startswith(_ZSTD):
        return _joined(_Members(data, "zstd", _ZSTD, zstd(name)))
    return data


def zstd(name: str) -> Any:  # noqa: ANN401 - a module that only 3.14+ has
    """The module `compression.zstd`.

    Args:
        name: The file that needs it, for a message.

    Raises:
        SnapshotError: This Python has none.
    """
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        raise SnapshotError(
            f"{name}: this Python cannot read or write zstd (3.14 and later can)",
            help="use a `.json` or `.json.gz` file",
        ) from None


class _Members:
    """Unpacks what is compressed, one member or frame after the other."""

    def __init__(self, data: bytes, what: str, magic: bytes, module: Any = None) -> None:  # noqa: ANN401
        self._data = data
        self._magic = magic
        self._zstd = module
        self.what = what
        self.used = 0  # how much of the data has been read

    def pieces(self) -> Iterator[bytes]:
        """What comes out, in pieces of bounded size."""
        failed = zlib.error if self._zstd is None else self._zstd.ZstdError
        try:
            while self._data.startswith(self._magic, self.used):  # anything else at the end is padding
                yield from self._of_gzip() if self._zstd is None else self._of_zstd()
        except failed as error:
            raise SnapshotError(f"the {self.what} data is damaged: {error}", help="copy it again") from None

    def _of_gzip(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(wbits=31)
        while not unpacker.eof:
            rest = self._next()
            while rest and not unpacker.eof:
                yield unpacker.decompress(rest, _OUT_BYTES)
                rest = unpacker.unconsumed_tail
        self.used -= len(unpacker.unused_data)

    def _of_zstd(self) -> Iterator[bytes]:
        unpacker = self._zstd.ZstdDecompressor()
        while not unpacker.eof:
            yield unpacker.decompress(self._next() if unpacker.needs_input else b"", _OUT_BYTES)
        self.used -= len(unpacker.unused_data)

    def _next(self) -> bytes:
        data = self._data[self.used : self.used + _IN_BYTES]
        if not data:
            raise SnapshotError(f"the {self.what} data is cut short, after {self.used:,} bytes", help=_AGAIN)
        self.used += len(data)
        return data


def _joined(members: _Members) -> bytes:
    pieces: list[bytes] = []
    size, begun = 0, False
    for piece in filter(None, members.pieces()):
        pieces.append(piece)
        size += len(piece)
        if not begun:
            head = piece.lstrip(b"\xef\xbb\xbf \t\r\n")
            begun = bool(head)
            if head and not head.startswith(b"{"):
                raise SnapshotError("this is no agraph snapshot: what it unpacks to does not begin with {")
        if size > MAX_BYTES:
            raise SnapshotError(
                f"the file unpacks to more than {MAX_BYTES // 1024**3} GiB: this is no snapshot"
            )
        if size > BURDEN_BYTES and size > MAX_RATIO * members.used:
            raise SnapshotError(
                f"the file unpacks to more than {MAX_RATIO} times its size: this is no snapshot"
            )
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
