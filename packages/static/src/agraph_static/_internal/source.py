"""Source files as text: decoding and parsing with Python's own rules, failures as findings."""

from __future__ import annotations

import ast
import gc
import io
import tokenize
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agraph_static._internal.model import Finding, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_MESSAGE = 160


def decode(data: bytes, path: str) -> str | Finding:
    """The text of a file, by its BOM or coding comment, else UTF-8; a finding when it cannot be decoded."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except SyntaxError as error:
        return syntax_finding(path, 1, 1, str(error.msg))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode(encoding, errors="replace")) + 1
        byte = data[error.start]
        return syntax_finding(path, line, column, f"byte 0x{byte:02x} is not valid {error.encoding.upper()}")
    except (LookupError, ValueError) as error:  # `hex` is no encoding of text, `undefined` decodes nothing
        return syntax_finding(path, 1, 1, f"it cannot be decoded: {error}")


def parse(text: str, path: str) -> ast.Module | Finding:
    """The standard parser's tree; a finding when the text does not parse."""
    if "\0" in text:
        before = text[: text.index("\0")]
        column = len(before) - (before.rfind("\n") + 1) + 1
        return syntax_finding(path, before.count("\n") + 1, column, "the source holds a NUL byte")
    try:
        with without_collection(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and such are other tools' business
            return ast.parse(text)
    except SyntaxError as error:
        return syntax_finding(path, error.lineno or 1, max(error.offset or 1, 1), str(error.msg))
    except (RecursionError, MemoryError):
        return syntax_finding(path, 1, 1, "the source is nested too deeply for Python's parser")
    except ValueError as error:
        return syntax_finding(path, 1, 1, str(error))


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection while a tree is built: all of it is live, and looking through it is slow."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def syntax_finding(path: str, line: int, column: int, reason: str) -> Finding:
    """AG001 at a place."""
    reason = reason[:_MAX_MESSAGE].rstrip(".")
    return Finding(
        code="AG001",
        confidence="certain",
        message=f"the file does not parse: {reason}",
        path=path,
        span=Span(line, column, line, column + 1),
        label=reason,
        help="fix the error, or run agraph with the Python version this file is written for",
    )
