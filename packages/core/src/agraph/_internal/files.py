"""Snapshots in files: whole or not at all, compressed by suffix."""

from __future__ import annotations

import importlib
import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agraph._internal.errors import SnapshotError

if TYPE_CHECKING:
    from agraph._internal.model import Snapshot

_SUFFIXES = "`.json`, `.json.gz` or (Python 3.14+) `.json.zst`"

# A snapshot of 1,000,000 tasks is some 80 MB. Whatever unpacks to more than this is no snapshot but an
# attack on the reader's memory.
MAX_BYTES = 2 * 1024**3


def save(snapshot: Snapshot, path: str | os.PathLike[str]) -> None:
    """Write a snapshot; a reader never sees half a file (a temporary file beside it, then a rename)."""
    import tempfile  # noqa: PLC0415 - brings shutil, random and more: start-up time

    target = Path(path)
    data = _pack(encode(snapshot), target)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o600)  # noqa: PTH101 - what it shows of the process is for its owner
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def encode(snapshot: Snapshot) -> bytes:
    text = json.dumps(snapshot.to_dict(), ensure_ascii=False, separators=(",", ":"))
    # A file name from os.fsdecode may hold lone surrogates, which UTF-8 has no bytes for: what replaces
    # them, \udcff, is JSON's own escape, so they come back as they were.
    return text.encode("utf-8", "backslashreplace")


def _pack(data: bytes, target: Path) -> bytes:
    name = target.name
    if name.endswith(".gz"):
        import gzip  # noqa: PLC0415 - only here

        return gzip.compress(data, 6, mtime=0)
    if name.endswith(".zst"):
        return bytes(_zstd(target).compress(data))
    if not name.endswith(".json"):
        raise SnapshotError(
            f"cannot write a snapshot to {name!r}: the suffix says the format",
            help=f"use one of {_SUFFIXES}",
        )
    return data


class Decoder(Protocol):
    """A reader of JSON that is faster than that of the standard library.

    Where it fails, or where what it made of a file is no snapshot, the file is read again without it: the
    standard library's reader has the last word, and says what is wrong.
    """

    def document(self, data: bytes) -> object:
        """Read a document; columns of nodes and edges may stay JSON until `column` is called."""

    def column(self, value: Any) -> object:  # noqa: ANN401 - whatever `document` left
        """Read one column."""


def load(path: str | os.PathLike[str], *, decoder: Decoder | None = None) -> Snapshot:
    """Read a snapshot from a file.

    Args:
        path: A file that `Snapshot.save` wrote.
        decoder: A faster reader of JSON, with the methods `document(data)` and `column(value)`.

    Returns:
        The snapshot.

    Raises:
        SnapshotError: The file is no snapshot, is damaged, or was cut; the message says where.
        OSError: The file cannot be read.
    """
    source = Path(path)
    return _decode(_unpack(source.read_bytes(), source), decoder)


def loads(data: bytes, *, decoder: Decoder | None = None) -> Snapshot:
    """Read a snapshot from bytes, such as those of standard input.

    Args:
        data: The content of a file that `Snapshot.save` wrote, compressed or not.
        decoder: As for `load`.

    Returns:
        The snapshot.

    Raises:
        SnapshotError: As `load`.
    """
    return _decode(_unpack(data, Path("<bytes>")), decoder)


def _decode(data: bytes, decoder: Decoder | None) -> Snapshot:
    from agraph._internal.codec import from_dict  # noqa: PLC0415 - capture alone needs no codec

    if decoder is not None:
        try:
            return from_dict(decoder.document(data), decoder.column)
        except MemoryError:  # the reader below needs more
            raise
        except Exception:  # noqa: BLE001, S110 - whatever it is, the reader below finds it again and names it
            pass
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SnapshotError(
            f"this is no agraph snapshot: not UTF-8 at byte {error.start}",
            help="pass a file that `Snapshot.save` wrote",
        ) from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken_json(error, text) from None
    except RecursionError:
        raise SnapshotError("this is no agraph snapshot: nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits, which Python refuses to read
        raise SnapshotError(f"this is no agraph snapshot: {error}") from None
    return from_dict(document)


def _broken_json(error: json.JSONDecodeError, text: str) -> SnapshotError:
    where = f"line {error.lineno} column {error.colno}"
    ended = error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg
    if ended and text.lstrip()[:1] == "{":
        return SnapshotError(
            f"the file is cut short: it ends at {where}, after {len(text.encode()):,} bytes",
            help="copy it again, or capture again: `save` never leaves half a file",
        )
    return SnapshotError(
        f"this is no agraph snapshot: not JSON at {where}: {error.msg}",
        help="pass a file that `Snapshot.save` wrote",
    )


def _unpack(data: bytes, source: Path) -> bytes:
    if data[:2] == b"\x1f\x8b":
        return _inflate(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        zstd = _zstd(source)
        unpacker = zstd.ZstdDecompressor()
        try:
            unpacked = unpacker.decompress(data, MAX_BYTES + 1)
        except zstd.ZstdError as error:
            raise SnapshotError(f"the zstd data is damaged: {error}", help="copy it again") from None
        return _whole(unpacked, len(data), "zstd", ended=unpacker.eof)
    return data


def _inflate(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise SnapshotError(f"the gzip data is damaged: {error}", help="copy it again") from None
    return _whole(unpacked, len(data), "gzip", ended=unpacker.eof)


def _whole(unpacked: bytes, size: int, what: str, *, ended: bool) -> bytes:
    """The unpacked bytes, if they are all and not too many."""
    if not ended and len(unpacked) <= MAX_BYTES:
        raise SnapshotError(
            f"the {what} data is cut short, after {size:,} bytes",
            help="copy it again, or capture again: `save` never leaves half a file",
        )
    if len(unpacked) > MAX_BYTES:
        raise SnapshotError(f"the file unpacks to more than {MAX_BYTES // 1024**3} GiB: this is no snapshot")
    return unpacked


def _zstd(source: Path) -> Any:  # noqa: ANN401 - a module that only 3.14+ has
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        raise SnapshotError(
            f"{source.name}: this Python cannot read or write zstd (3.14 and later can)",
            help="use a `.json` or `.json.gz` file",
        ) from None
