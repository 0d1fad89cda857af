"""Snapshots in files: whole or not at all, compressed by suffix."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from agraph._internal.errors import SnapshotError
from agraph._internal.unpack import unpack, zstd

if TYPE_CHECKING:
    from collections.abc import Callable

    from agraph._internal.model import Snapshot
    from agraph._internal.shelf import Typed

_SUFFIXES = "`.json`, `.json.gz`, (Python 3.14+) `.json.zst`, or `.jsonl` instead of `.json`"

# The beginning of a word or number of JSON, or of an escape in a string: where a file was cut.
_UNFINISHED = re.compile(r"tru?|fal?s?|nul?|[eE][-+]?")
_CUT_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,4}\s*$")


def save(snapshot: Snapshot, path: str | os.PathLike[str], *, follow: bool = True) -> None:
    """Write a snapshot; a reader never sees half a file (a temporary file beside it, then a rename).

    Args:
        snapshot: The snapshot.
        path: The file. What is there and no file, such as a named pipe, is written to.
        follow: Whether a link stays one and what it points to is written. Not for a name that others could
            guess: they could let it point to a file of ours.
    """
    import tempfile  # noqa: PLC0415 - brings shutil, random and more: start-up time

    target = Path(path)
    data = _pack(snapshot, target)
    if follow:
        target = Path(os.path.realpath(target))
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
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
    text = json.dumps(snapshot.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A file name from os.fsdecode may hold lone surrogates, which UTF-8 has no bytes for: what replaces
    # them, \udcff, is JSON's own escape, so they come back as they were.
    return text.encode("utf-8", "backslashreplace")


def _pack(snapshot: Snapshot, target: Path) -> bytes:
    name = target.name
    plain = name.removesuffix(".gz").removesuffix(".zst")
    if not plain.endswith((".json", ".jsonl")) or len(name) - len(plain) > len(".zst"):
        raise SnapshotError(
            f"cannot write a snapshot to {name!r}: the suffix says the format",
            help=f"use one of {_SUFFIXES}",
        )
    module = zstd(name) if name.endswith(".zst") else None  # before the work of encoding
    data = _records(snapshot) if plain.endswith(".jsonl") else encode(snapshot)
    if name.endswith(".gz"):
        import gzip  # noqa: PLC0415 - only here

        return gzip.compress(data, 6, mtime=0)
    return data if module is None else bytes(module.compress(data))


def _records(snapshot: Snapshot) -> bytes:
    from agraph._internal.records import lines  # noqa: PLC0415 - only here

    return "".join(f"{line}\n" for line in lines(snapshot)).encode("utf-8", "backslashreplace")


class Decoder(Protocol):
    """A reader of JSON that is faster than that of the standard library.

    Where it fails, or where what it made of a file is no snapshot, the file is read again without it: the
    standard library's reader has the last word, and says what is wrong.
    """

    def document(self, data: bytes) -> object:
        """Read a document; columns of nodes and edges may stay JSON until `column` is called."""

    def column(self, value: Any) -> object:  # noqa: ANN401 - whatever `document` left
        """Read one column."""

    def typed(self, size: int) -> Callable[[bytes], Typed] | None:
        """A reader for a document of so many bytes that holds each value to its type; None for long ones."""


def load(path: str | os.PathLike[str], *, decoder: Decoder | None = None) -> Snapshot:
    """Read a snapshot from a file.

    Args:
        path: A file that `Snapshot.save` wrote.
        decoder: A faster reader of JSON, with `document(data)`, `column(value)` and `typed(size)`.

    Returns:
        The snapshot.

    Raises:
        SnapshotError: The file is no snapshot, is damaged, or was cut; the message says where.
        OSError: The file cannot be read.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - of ten thousand files, a path each takes long
        data = file.read()
    return _decode(unpack(data, os.path.basename(path)), decoder)  # noqa: PTH119 - likewise


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
    return _decode(unpack(data, "<bytes>"), decoder)


def _decode(data: bytes, decoder: Decoder | None) -> Snapshot:
    from agraph._internal.codec import from_dict  # noqa: PLC0415 - capture alone needs no codec
    from agraph._internal.records import are_records, document  # noqa: PLC0415 - likewise

    data = data.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, which some editors put there
    if not data or data.isspace():
        raise SnapshotError("the file is empty", help="capture again: `save` leaves no empty file")
    if are_records(data):
        return from_dict(document(data))
    if decoder is not None:
        try:
            return _quickly(data, decoder) or from_dict(decoder.document(data), decoder.column)
        except MemoryError:  # the reader below needs more
            raise
        except Exception:  # noqa: BLE001, S110 - whatever it is, the reader below finds it again and names it
            pass
    return from_dict(_parsed(data))


def _quickly(data: bytes, decoder: Decoder) -> Snapshot | None:
    read = decoder.typed(len(data))
    if read is None:
        return None
    from agraph._internal.typed import snapshot  # noqa: PLC0415 - as the codec

    try:
        return snapshot(data, read)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - as above
        return None


def _parsed(data: bytes) -> object:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and data.lstrip()[:1] == b"{":
            raise _cut_short("inside a character", len(data)) from None
        raise SnapshotError(
            f"this is no agraph snapshot: not UTF-8 at byte {error.start}",
            help="pass a file that `Snapshot.save` wrote",
        ) from None
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise _broken_json(error, text) from None
    except RecursionError:
        raise SnapshotError("this is no agraph snapshot: nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits, which Python refuses to read
        raise SnapshotError(f"this is no agraph snapshot: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise SnapshotError(
        f"this is no agraph snapshot: {constant} is no number of JSON",
        help="pass a file that `Snapshot.save` wrote",
    )


def _broken_json(error: json.JSONDecodeError, text: str) -> SnapshotError:
    where = f"line {error.lineno} column {error.colno}"
    if error.msg == "Extra data":
        return SnapshotError(
            f"more follows the snapshot, at {where}: a file holds one",
            help="write each snapshot to a file of its own",
        )
    if text.lstrip()[:1] == "{" and _was_cut(error, text):
        return _cut_short(f"at {where}", len(text.encode()))
    return SnapshotError(
        f"this is no agraph snapshot: not JSON at {where}: {error.msg}",
        help="pass a file that `Snapshot.save` wrote",
    )


def _was_cut(error: json.JSONDecodeError, text: str) -> bool:
    rest = text[error.pos :].strip()
    if len(rest) <= 1 or _UNFINISHED.fullmatch(rest) or "Unterminated" in error.msg:
        return True
    return "escape" in error.msg and _CUT_ESCAPE.search(text, max(0, len(text) - 9)) is not None


def _cut_short(where: str, size: int) -> SnapshotError:
    return SnapshotError(
        f"the file is cut short: it ends {where}, after {size:,} bytes",
        help="copy it again, or capture again: `save` never leaves half a file",
    )
